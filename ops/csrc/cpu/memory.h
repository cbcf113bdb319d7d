// The memory of large feature maps, kept from one call to the next: fresh pages cost as much as half the arithmetic.
#pragma once
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <sys/mman.h>

#include <cstdint>
#include <deque>
#include <iterator>
#include <mutex>

namespace {

constexpr size_t HUGE_PAGE_SIZE = 2 << 20;

class KeptMemory {
    static constexpr size_t LIMIT = size_t(1) << 30;  // bytes kept while nobody uses them
    struct Block {
        void* data;
        size_t size;
    };
    std::mutex mutex;
    std::deque<Block> blocks;  // the longest unused first
    size_t total = 0;

    // Aligned to huge pages, and what is released is the system's again, which free() does not promise.
    static void* from_system(size_t size) {
        constexpr int ACCESS = PROT_READ | PROT_WRITE, KIND = MAP_PRIVATE | MAP_ANONYMOUS;
        char* data = (char*)mmap(nullptr, size + HUGE_PAGE_SIZE, ACCESS, KIND, -1, 0);
        TORCH_CHECK(data != MAP_FAILED, "not enough memory for a feature map of ", size, " bytes");
        const size_t before = -(uintptr_t)data % HUGE_PAGE_SIZE, after = HUGE_PAGE_SIZE - before;
        if (before) munmap(data, before);
        munmap(data + before + size, after);
        madvise(data + before, size, MADV_HUGEPAGE);
        return data + before;
    }
    void drop_oldest() {
        munmap(blocks.front().data, blocks.front().size);
        total -= blocks.front().size;
        blocks.pop_front();
    }

public:
    // Huge pages where the system has them. size: a multiple of HUGE_PAGE_SIZE.
    void* take(size_t size) {
        {
            std::lock_guard<std::mutex> guard(mutex);
            for (auto block = blocks.rbegin(); block != blocks.rend(); ++block)
                if (block->size == size) {
                    void* data = block->data;
                    blocks.erase(std::next(block).base());
                    total -= size;
                    return data;
                }
        }
        return from_system(size);
    }
    void give_back(void* data, size_t size) {
        std::lock_guard<std::mutex> guard(mutex);
        blocks.push_back({data, size});
        total += size;
        while (total > LIMIT) drop_oldest();
    }
    void release() {
        std::lock_guard<std::mutex> guard(mutex);
        while (!blocks.empty()) drop_oldest();
    }
};

KeptMemory& kept_memory() {
    static KeptMemory& memory = *new KeptMemory;  // never destroyed: tensors may outlive this library's variables
    return memory;
}

// A float tensor; a large one in kept memory.
at::Tensor new_map(at::IntArrayRef sizes) {
    size_t size = 4;
    for (const int64_t n : sizes) size *= n;
    if (size < HUGE_PAGE_SIZE) return at::empty(sizes, at::kFloat);
    size = (size + HUGE_PAGE_SIZE - 1) / HUGE_PAGE_SIZE * HUGE_PAGE_SIZE;
    return at::from_blob(
        kept_memory().take(size), sizes, [size](void* data) { kept_memory().give_back(data, size); }, at::kFloat);
}

}  // namespace
