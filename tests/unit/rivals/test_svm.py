"""The support vector machine and the conditional projection of InterFaceGAN, against scikit-learn and by hand."""

import pytest
import torch

from styleT2I.rivals.interfacegan import conditional, linear_svm


def clouds(seed, num=80, dim=6, overlap=1.0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.where(torch.arange(num) % 2 == 0, 1.0, -1.0).double()
    axis = torch.randn(dim, generator=generator).double()
    x = torch.randn(num, dim, generator=generator).double() * overlap + labels[:, None] * axis / axis.norm() + 0.7
    return x, labels


def objective(weight, bias, x, labels, cost):
    return weight @ weight / 2 + cost * (1 - labels * (x @ weight + bias)).clamp_min(0).square().sum()


@pytest.mark.parametrize("cost", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("overlap", [0.3, 1.5])
def test_no_other_plane_has_a_lower_loss_than_the_one_found(cost, overlap):
    from scipy.optimize import minimize

    x, labels = clouds(0, overlap=overlap)
    weight, bias = linear_svm(x, labels, cost)

    def loss(values):
        values = torch.from_numpy(values)
        return objective(values[:-1], values[-1], x, labels, cost).item()

    other = minimize(loss, torch.cat([weight, bias[None]]).numpy() * 0, method="BFGS", options={"gtol": 1e-8})
    found = objective(weight, bias, x, labels, cost).item()
    assert found <= other.fun * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize("cost", [0.1, 1.0])
def test_scikit_learn_finds_the_same_plane(cost):
    svm = pytest.importorskip("sklearn.svm")
    x, labels = clouds(1)
    weight, bias = linear_svm(x, labels, cost)
    # scikit-learn penalises the bias too, as a coordinate of this size: hardly
    oracle = svm.LinearSVC(loss="squared_hinge", C=cost, intercept_scaling=100, tol=1e-12, max_iter=100_000, dual=False)
    oracle.fit(x.numpy(), labels.numpy())
    torch.testing.assert_close(weight, torch.from_numpy(oracle.coef_[0]), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(bias, torch.from_numpy(oracle.intercept_)[0], rtol=1e-3, atol=1e-3)


def test_the_plane_is_near_that_of_the_hinge_loss_which_the_paper_uses():
    svm = pytest.importorskip("sklearn.svm")
    x, labels = clouds(2, num=400)
    weight, _ = linear_svm(x, labels)
    hinge = torch.from_numpy(svm.SVC(kernel="linear").fit(x.numpy(), labels.numpy()).coef_[0].copy())
    assert torch.cosine_similarity(weight, hinge, dim=0) > 0.99


def test_separable_points_are_parted_in_the_middle():
    x = torch.tensor([[-3.0, 5.0], [1.0, 5.0], [-4.0, -5.0], [2.0, -5.0]]).double()
    weight, bias = linear_svm(x, torch.tensor([-1.0, 1.0, -1.0, 1.0]).double(), 1e8)
    torch.testing.assert_close(weight, torch.tensor([0.5, 0.0]).double(), rtol=0, atol=0.03)
    assert -bias / weight[0] == pytest.approx(-1.0, abs=0.1)  # half way from -3 to 1


def test_a_conditional_direction_is_orthogonal_to_every_other_and_of_length_1():
    generator = torch.Generator().manual_seed(3)
    normal, *others = (torch.randn(10, generator=generator).double() for _ in range(5))
    rest = conditional(normal / normal.norm(), [other / other.norm() for other in others])
    for other in others:
        assert abs(rest @ other) < 1e-12
    assert rest.norm() == pytest.approx(1.0)
    assert rest @ normal > 0


def test_one_condition_is_taken_out_as_the_paper_writes_it():
    first, second = torch.tensor([0.6, 0.8, 0.0]), torch.tensor([1.0, 0.0, 0.0])
    expected = first - (first @ second) * second
    torch.testing.assert_close(conditional(first, [second]), expected / expected.norm())


def test_conditions_that_span_the_direction_leave_it_as_it_is():
    normal = torch.tensor([1.0, 0.0])
    assert conditional(normal, [torch.tensor([1.0, 1.0]), torch.tensor([1.0, -1.0])]) is normal
    assert torch.equal(conditional(normal, [normal, normal]), normal)
