"""Labels of an audit's own images: the sample, the raters' files, their vote, and estimates against known truth."""

import csv
import hashlib
import itertools

import numpy as np
import pytest

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.analysis.assemble import analyse
from styleT2I.fairness.analysis.labelled import LabelledSides, labelled_rate
from styleT2I.fairness.labels.answers import Answers, disagreements, labels_of, read_answers, read_raters
from styleT2I.fairness.labels.sample import SampledImage, sampled_images, sampled_pairs, sampled_places
from styleT2I.fairness.labels.session import LabelSession, open_session
from styleT2I.fairness.labels.summary import used_labels
from styleT2I.fairness.plan import AuditPlan, checked_plan, plan_hash
from styleT2I.statistics.intervals import newcombe_paired_interval, wilson_interval
from tests.fake_faces import PLAN

VOCABULARY = load_vocabulary("minifaces")
ASKED = ("he", "lipstick")
WANTED = ({"he": False, "lipstick": True}, {"he": True, "lipstick": True})


def images(folder, num=4):
    return [SampledImage(f"{index:016x}", folder / f"{index:016x}.png", ASKED) for index in range(num)]


def answer_all(session, answer):
    """answer: (image, attribute) -> what the rater says."""
    while "image" in (shown := session.current()):
        session.answer(shown["image"], {each["attribute"]: answer(shown["image"], each["attribute"])
                                        for each in shown["questions"]})  # fmt: skip


def test_the_sample_follows_from_seeds_and_number_and_grows_without_losing_a_pair():
    plans = [AuditPlan("a", labels=labels, first_seed=3) for labels in (0, 10, 30, 100)]
    samples = [sampled_pairs(plan, 100) for plan in plans]
    assert [len(sample) for sample in samples] == [0, 10, 30, 100]
    assert all(set(few) < set(more) for few, more in itertools.pairwise(samples))
    assert samples[1] != sampled_pairs(AuditPlan("a", labels=10, first_seed=4), 100)
    counts = np.zeros(50)
    for seed in range(400):
        counts[sampled_pairs(AuditPlan("a", labels=10, first_seed=seed), 50)] += 1
    assert counts.std() < 14 and counts.mean() == 80  # binomial: 8


def test_a_plan_without_labels_has_the_hash_it_had_and_wrong_numbers_are_refused():
    plan = from_dict(AuditPlan, PLAN)
    assert plan_hash(plan) != plan_hash(from_dict(AuditPlan, {**PLAN, "labels": 5}))
    assert plan_hash(plan) == plan_hash(from_dict(AuditPlan, {**PLAN, "transports": False, "labels": 0}))
    for changes, message in (({"labels": 21}, "from 0 to num"), ({"labels": 3, "comparisons": []}, "add comparisons")):
        with pytest.raises(ConfigError, match=message):
            checked_plan(from_dict(AuditPlan, {**PLAN, **changes}), VOCABULARY)


def test_a_session_is_kept_answer_by_answer_resumes_and_takes_back(tmp_path):
    sample = images(tmp_path)
    session = open_session(tmp_path, "anna", sample, VOCABULARY, "key")
    first = session.current()
    assert (first["done"], first["num"]) == (0, 4) and "she" not in first["image"]
    assert first["questions"][0] == {"attribute": "he", "yes": "he", "no": "she"}
    session.answer(first["image"], {"he": "yes", "lipstick": "undecided"})
    again = open_session(tmp_path, "anna", sample, VOCABULARY, "key")
    second = again.current()
    assert second["done"] == 1 and second["image"] != first["image"]
    again.take_back()
    assert again.current() == first and read_answers(tmp_path, "anna").given == {}
    order = [image.sha256 for image in again._images]
    other = [image.sha256 for image in LabelSession(sample * 1, read_answers(tmp_path, "ben"), VOCABULARY, "k")._images]
    assert sorted(order) == sorted(other)
    for bad in ({"he": "yes"}, {"he": "yes", "lipstick": "maybe"}, {"he": "yes", "lipstick": "no", "hat": "no"}):
        with pytest.raises(DataError, match="answer each of"):
            again.answer(first["image"], bad)
    with pytest.raises(DataError, match="not an image"):
        again.answer("f" * 16, {"he": "yes", "lipstick": "no"})
    assert read_answers(tmp_path, "anna").given == {}


def test_a_finished_file_has_its_digest_and_a_changed_one_is_refused(tmp_path):
    sample = images(tmp_path)
    session = open_session(tmp_path, "anna", sample, VOCABULARY, "key")
    answer_all(session, lambda image, name: "yes")
    path = tmp_path / "labels/anna.csv"
    digest, name = (tmp_path / "labels/anna.csv.sha256").read_text().split()
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest() and name == "anna.csv"
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == 8 and {row["answer"] for row in rows} == {"yes"} and {row["role"] for row in rows} == {"rater"}
    assert read_raters([tmp_path])[0].is_complete(sample)
    (tmp_path / "labels/anna.csv.sha256").unlink()  # killed between the last answer and its digest
    open_session(tmp_path, "anna", sample, VOCABULARY, "key")
    assert read_raters([tmp_path])[0].is_sealed
    path.write_text(path.read_text().replace("yes", "no", 1))
    with pytest.raises(DataError, match="was changed after it was finished"):
        read_raters([tmp_path])
    path.write_text("image,attribute\nx,y\n")
    with pytest.raises(DataError, match="not a file of `audit label`"):
        read_raters([tmp_path])


def test_names_and_roles_that_cannot_be_are_one_line(tmp_path):
    sample = images(tmp_path)
    for name in ("../anna", "", "a b", "x" * 41):
        with pytest.raises(ConfigError, match="no rater's name"):
            open_session(tmp_path, name, sample, VOCABULARY, "key")
    with pytest.raises(ConfigError, match="0 of 2 raters have finished"):
        open_session(tmp_path, "carla", sample, VOCABULARY, "key", is_resolver=True)
    for name in ("anna", "ben"):
        answer_all(open_session(tmp_path, name, sample, VOCABULARY, "key"), lambda image, attribute: "yes")
    with pytest.raises(ConfigError, match="add --resolve"):
        open_session(tmp_path, "carla", sample, VOCABULARY, "key")
    with pytest.raises(ConfigError, match="nothing to resolve"):
        open_session(tmp_path, "carla", sample, VOCABULARY, "key", is_resolver=True)
    with pytest.raises(ConfigError, match="ben is a rater"):
        open_session(tmp_path, "ben", sample, VOCABULARY, "key", is_resolver=True)


def test_labels_count_once_two_have_finished_and_a_resolver_settles_what_they_differ_about(tmp_path):
    sample = images(tmp_path)
    ids = [image.sha256 for image in sample]
    answer_all(open_session(tmp_path, "anna", sample, VOCABULARY, "k"), lambda image, name: "yes")
    summary, labels = used_labels(read_raters([tmp_path]), sample, 2)
    assert labels is None and summary.reason.startswith("1 of 2 raters") and summary.agreement == ()
    said = {(ids[0], "lipstick"): "no", (ids[1], "he"): "undecided"}
    answer_all(open_session(tmp_path, "ben", sample, VOCABULARY, "k"), lambda *key: said.get(key, "yes"))
    raters = read_raters([tmp_path])
    assert [image.sha256 for image in disagreements(raters, sample)] == [ids[0]]  # undecided abstains
    summary, labels = used_labels(raters, sample, 2)
    assert (summary.differing, summary.undetermined, summary.reason) == (1, 1, None)
    assert labels[ids[0]] == {"he": "1", "lipstick": "?"} and labels[ids[1]] == {"he": "1", "lipstick": "1"}
    by_name = {each.attribute: each for each in summary.agreement}
    assert (by_name["he"].agreed, by_name["he"].images, by_name["lipstick"].agreed) == (3, 4, 3)
    assert by_name["he"].kappa is None  # one of them gave one answer throughout
    resolver = open_session(tmp_path, "carla", sample, VOCABULARY, "k", is_resolver=True)
    assert resolver.num == 1
    answer_all(resolver, lambda image, name: "no")
    summary, labels = used_labels(read_raters([tmp_path]), sample, 2)
    assert summary.undetermined == 0 and labels[ids[0]] == {"he": "1", "lipstick": "0"}
    assert [each.role for each in summary.raters] == ["rater", "rater", "resolver"]


def test_kappa_is_cohens_by_hand(tmp_path):
    sample = [SampledImage(f"{index:016x}", tmp_path, ("he",)) for index in range(10)]
    answers = {"a": "yyyyynnnnn", "b": "yyyynnnnny"}
    raters = [
        Answers(tmp_path / f"{name}.csv", name, "rater", {
            (image.sha256, "he"): ("yes" if letter == "y" else "no", "2026") for image, letter in zip(
                sample, letters, strict=True)}, True)
        for name, letters in answers.items()
    ]  # fmt: skip
    (found,) = used_labels(raters, sample, 5)[0].agreement
    assert found.kappa == pytest.approx((0.8 - 0.5) / 0.5) and found.agreed == 8
    assert labels_of(raters, sample)[sample[9].sha256] == {"he": "?"}


def cells(truth, verdict, labelled):
    """Outcomes of two cells and the labels of the pairs at some places; truth, verdict: bool [2, N]."""
    outcomes, labels = [], {}
    for side, wanted in enumerate(WANTED):
        letters = "".join("1" if each else "0" for each in verdict[side])
        outcomes.append(
            {
                "success": letters,
                "images": {"sha256": [f"{side}-{k}" for k in range(len(letters))], "blank": "0" * len(letters)},
            }
        )
        for index in labelled:
            labels[f"{side}-{index}"] = {"he": "01"[wanted["he"]], "lipstick": "01"[int(truth[side][index])]}
    return tuple(outcomes), labels


def test_few_labels_near_an_end_have_newcombes_and_wilsons_interval_of_the_labels_alone():
    truth = np.array([[1] * 40, [1] * 37 + [0] * 3])
    outcomes, labels = cells(truth, truth, range(40))
    sides = LabelledSides(outcomes, WANTED, labels, True)
    assert sides.contrast().interval(0.95) == pytest.approx(newcombe_paired_interval(37, 3, 0, 0))
    assert sides.rate(1).interval(0.95) == pytest.approx(wilson_interval(37, 40))
    assert sides.contrast().value == pytest.approx(3 / 40)
    concordant = np.array([[1] * 30 + [0] * 30] * 2)  # no pair differs: a normal interval would have no width
    outcomes, labels = cells(concordant, concordant, range(60))
    found = LabelledSides(outcomes, WANTED, labels, True).contrast().interval(0.95)
    assert found == pytest.approx(newcombe_paired_interval(30, 0, 0, 30))


def test_images_without_a_label_count_either_way_and_those_of_nobody_are_not_covered():
    truth = np.array([[1, 0] * 20, [1, 0] * 20])
    outcomes, labels = cells(truth, truth, range(40))
    certain = LabelledSides(outcomes, WANTED, labels, True)
    labels["0-0"] = {"he": "0", "lipstick": "?"}
    open_one = LabelledSides(outcomes, WANTED, labels, True)
    assert open_one.undetermined == (1 / 40, 0.0)
    (low, high), (least, most) = certain.contrast().interval(0.95), open_one.contrast().interval(0.95)
    assert least < low - 0.02 and most == pytest.approx(high)
    assert labelled_rate(outcomes[0], {"hat": True}, labels) is None
    assert not LabelledSides(outcomes, WANTED, {}, True).is_covered


@pytest.mark.parametrize("is_paired", [True, False])
def test_the_truth_is_covered_where_the_judge_is_half_blind_on_one_side_and_nothing_was_calibrated(is_paired):
    """200 audits of a model without a gap; the judge misses 40 % of lipstick on men."""
    rng, covered, naive, widths = np.random.default_rng(7), 0, 0, []
    for _ in range(200):
        shared, own = rng.random(300), rng.random((2, 300))
        truth = np.where(rng.random(300) < 0.4 * is_paired, shared, own) < 0.7
        verdict = truth & (rng.random((2, 300)) > np.array([0.02, 0.4])[:, None])
        outcomes, labels = cells(truth, verdict, rng.permutation(300)[:100])
        gap = LabelledSides(outcomes, WANTED, labels, is_paired).contrast()
        low, high = gap.interval(0.95)
        covered += low <= 0 <= high
        naive += abs(verdict[0].mean() - verdict[1].mean()) < 0.1
        widths.append(high - low)
    assert 183 <= covered <= 198 and naive == 0
    assert np.mean(widths) < (0.27 if is_paired else 0.3)


SHARES = {
    "name": "unasked", "num": 400, "labels": 120, "compositions": ["lipstick"],
    "unprompted": [{"prompt": "lipstick", "attribute": "he", "training_share": 0.2, "max_share": 0.3}],
}  # fmt: skip


def unasked(rng, plan, rate, missed, setting="as drawn"):
    """Outcomes of a sentence of which `rate` of images show men, as a judge sees who misses some; labels; the truth."""
    truth = rng.random(plan.num) < rate
    seen = truth & (rng.random(plan.num) > missed)
    hashes = [f"{index:016x}" for index in range(plan.num)]
    outcome = {
        "success": "1" * plan.num, "attributes": {}, "drift": {}, "is_paired": True,
        "seen": {"he": "".join("01"[int(each)] for each in seen)},
        "images": {"sha256": hashes, "blank": "0" * plan.num},
    }  # fmt: skip
    labels = {hashes[index]: {"he": "01"[int(truth[index])]} for index in sampled_pairs(plan, plan.num)}
    return {(setting, "lipstick"): outcome}, labels, truth


def test_limits_on_unprompted_rates_rest_on_labels_and_cover_the_truth_where_the_judge_does_not():
    """200 audits of a model that draws 40 % men, which the judge sees in half: a limit of 30 % is exceeded."""
    plan = checked_plan(from_dict(AuditPlan, SHARES), VOCABULARY).without_settings()
    rng, covered, naive, verdicts, wrong, ratios = np.random.default_rng(5), 0, 0, [], [], 0
    for _ in range(200):
        outcomes, labels, _ = unasked(rng, plan, 0.4, 0.5)
        findings = analyse(plan, VOCABULARY, outcomes, labels=labels)
        (row,), (limit,) = findings.unprompted.rows, findings.thresholds
        low, high = row["share_interval"]
        covered += low <= 0.4 <= high
        ratios += row["amplification_ratio_interval"][0] <= 2 <= row["amplification_ratio_interval"][1]
        assert limit.value == row["share"] and row["corrected_by"] == "labels" and row["labelled_images"] == 120
        verdicts.append(limit.verdict)
        alone = analyse(plan, VOCABULARY, outcomes)
        (counted,) = alone.unprompted.rows
        naive += counted["share_interval"][0] <= 0.4 <= counted["share_interval"][1]
        wrong.append(alone.thresholds[0].verdict)
        assert row["counted_share"] == counted["share"] and "corrected_by" not in counted
    assert 183 <= covered <= 198 and ratios == covered and naive == 0
    assert verdicts.count("within") == 0 and verdicts.count("exceeded") > 100
    assert wrong.count("within") > 190  # by the judge alone


def test_a_model_at_its_limit_on_an_unprompted_rate_is_within_in_five_per_cent_of_audits():
    """The level is 5 %: of 400 audits at most 29 in all but 1 of 100 series."""
    plan = checked_plan(from_dict(AuditPlan, SHARES), VOCABULARY).without_settings()
    rng, decided = np.random.default_rng(6), []
    for _ in range(400):
        outcomes, labels, _ = unasked(rng, plan, 0.3, 0.3)
        decided.append(analyse(plan, VOCABULARY, outcomes, labels=labels).thresholds[0].verdict)
    assert decided.count("within") <= 31 and decided.count("exceeded") <= 31


def test_labels_of_an_unprompted_sentence_near_an_end_undecided_and_of_the_other_value():
    plan = checked_plan(from_dict(AuditPlan, {**SHARES, "unprompted": [
        {"prompt": "lipstick", "attribute": "she", "min_share": 0.9}]}), VOCABULARY).without_settings()  # fmt: skip
    outcomes, labels, _ = unasked(np.random.default_rng(7), plan, 0.0, 0.0)
    (row,) = analyse(plan, VOCABULARY, outcomes, labels=labels).unprompted.rows
    assert row["share"] == 1.0 and row["share_interval"] == pytest.approx(list(wilson_interval(120, 120)))
    some = dict(labels)
    some |= {image: {"he": "?"} for image in list(labels)[:12]}
    found = analyse(plan, VOCABULARY, outcomes, labels=some)
    low, high = found.unprompted.rows[0]["share_interval"]
    assert low == pytest.approx(wilson_interval(108, 120)[0]) and high == 1.0
    most = {image: {"he": "?"} for image in labels}
    (limit,) = analyse(plan, VOCABULARY, outcomes, labels=most).thresholds
    assert (limit.verdict, limit.obstacle) == ("not decided", "labels") and "images of lipstick" in limit.reason


def test_an_image_of_another_setting_that_equals_a_labelled_one_says_nothing_about_that_setting():
    plan = checked_plan(from_dict(AuditPlan, {**SHARES, "adjustment": ["none", "hold"]}), VOCABULARY)
    rng, (first, second) = np.random.default_rng(9), [setting.name for setting in plan.settings]
    outcomes, labels, _ = unasked(rng, plan, 0.4, 0.5, first)
    same, _, _ = unasked(rng, plan, 0.9, 0.0, second)
    findings = analyse(plan, VOCABULARY, outcomes | same, labels=labels)
    rows = {row["setting"]: row for row in findings.unprompted.rows}
    assert rows[first]["corrected_by"] == "labels" and "corrected_by" not in rows[second]
    assert rows[second]["share"] > 0.8


def test_the_images_of_unprompted_sentences_are_sampled_and_asked_what_they_leave_open(tmp_path):
    plan = checked_plan(from_dict(AuditPlan, {**SHARES, "num": 20, "labels": 5}), VOCABULARY).without_settings()
    outcomes, _, _ = unasked(np.random.default_rng(1), plan, 0.4, 0.5)
    assert sampled_places(plan) == [("as drawn", "lipstick")]
    with pytest.raises(DataError, match="an image to label is missing"):
        sampled_images(plan, VOCABULARY, outcomes, 20, [tmp_path])
    (tmp_path / "label-images").mkdir()
    for sha256 in outcomes["as drawn", "lipstick"]["images"]["sha256"]:
        (tmp_path / "label-images" / f"{sha256}.png").touch()
    sample = sampled_images(plan, VOCABULARY, outcomes, 20, [tmp_path])
    assert [image.sha256 for image in sample] == [f"{index:016x}" for index in sampled_pairs(plan, 20)]
    assert {image.attributes for image in sample} == {("he",)}


def test_an_analysis_rests_on_the_labels_where_they_are_and_on_the_counts_elsewhere():
    plan = checked_plan(from_dict(AuditPlan, {
        **PLAN, "num": 60, "labels": 40, "compositions": [*PLAN["compositions"], "she"],
        "thresholds": [{"comparison": "lipstick", "max_gap": 0.2, "min_success": 0.2}],
    }), VOCABULARY).without_settings()  # fmt: skip
    rng = np.random.default_rng(8)
    truth = rng.random((2, 60)) < 0.7
    verdict = truth.copy()
    verdict[1] &= rng.random(60) > 0.5
    sides, labels = cells(truth, verdict, sampled_pairs(plan, 60))
    names = [*PLAN["compositions"], "she"]
    extra = {"attributes": {}, "drift": {}}
    outcomes = {("as drawn", name): {**extra, **found} for name, found in zip(names, [*sides, {"success": "1" * 60}],
                                                                            strict=True)}  # fmt: skip
    findings = analyse(plan, VOCABULARY, outcomes, labels=labels)
    (compared,) = findings.comparisons
    assert compared.corrected.by == "labels" and compared.gap > 0.2
    low, high = compared.corrected.gap_interval
    assert low <= truth[0].mean() - truth[1].mean() <= high
    assert [cell.corrected and cell.corrected.by for cell in findings.cells] == ["labels", "labels", None]
    assert findings.thresholds[0].value == compared.corrected.gap
    alone = analyse(plan, VOCABULARY, outcomes)
    assert alone.comparisons[0].corrected is None and alone.thresholds[0].value == compared.gap
    unclear = {image: {**label, "lipstick": "?"} for image, label in labels.items()}
    unsure = analyse(plan, VOCABULARY, outcomes, labels=unclear).thresholds[0]
    assert unsure.verdict == "not decided" and unsure.obstacle == "labels" and "without a label" in unsure.reason
