import pytest
from pydantic import ValidationError

from noble.operator.config import preset
from noble.train import TrainConfig
from noble.train.config import OptimiserConfig


def load(tmp_path, text: str) -> TrainConfig:
    path = tmp_path / "train.yaml"
    path.write_text(text)
    return TrainConfig.load(path)


def test_an_empty_file_is_the_default_run(tmp_path):
    assert load(tmp_path, "") == load(tmp_path, "# nothing yet\n") == TrainConfig()
    assert TrainConfig().operator == preset("spike-phase")


def test_an_optimiser_that_is_not_given_suits_the_operator(tmp_path):
    ours, fno = load(tmp_path, "").optimiser, load(tmp_path, "operator: paper-pv").optimiser
    assert (ours.name, ours.learning_rate, ours.weight_decay, ours.schedule) == ("soap", 1e-2, 0.0, "cosine")
    assert (fno.name, fno.learning_rate, fno.clip_norm, fno.schedule) == ("adam", 4e-3, None, "plateau")
    given = load(tmp_path, "operator: paper-pv\noptimiser: {learning_rate: 0.1}").optimiser
    assert given == OptimiserConfig(learning_rate=0.1)
    with pytest.raises(ValueError, match="operator"):
        load(tmp_path, "operator: unheard-of")


def test_an_operator_by_name_or_in_full(tmp_path):
    assert load(tmp_path, "operator: paper-pv").operator == preset("paper-pv")
    config = load(tmp_path, "operator: {kind: fno, layers: 3}\noptimiser: {name: adam, schedule: plateau}")
    assert config.operator == preset("paper-pv").model_copy(update={"layers": 3})
    assert (config.optimiser.plateau_factor, config.optimiser.plateau_patience) == (0.4, 4)  # the paper's


def test_the_operator_decides_which_features_address_a_neuron(tmp_path):
    assert load(tmp_path, "operator: paper-pv").feature_names == ("rheobase", "fi_gain")
    assert load(tmp_path, "operator: spike-phase").feature_names is None  # all that the store has
    assert load(tmp_path, "operator: paper-pv\nfeatures: [i_thr]").feature_names == ("i_thr",)
    assert load(tmp_path, "operator: paper-pv\nfeatures: []").feature_names == ()  # all models are one


def test_a_dump_reads_back(tmp_path):
    config = load(tmp_path, "operator: fno-small\nepochs: 3\nfeatures: [i_thr]")
    assert TrainConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", r"unknown key epoch; expected one of operator, features, models, traces, epochs"),
        ("optimiser: {lr: 1}", r"unknown key optimiser.lr; expected one of name, learning_rate"),
        ("loss: {l4: 1}", r"unknown key loss.l4; expected one of voltage, timing"),
        ("operator: {kind: fno, depth: 3}", r"unknown key operator.fno.depth; expected one of kind, layers"),
        (
            "operator: {kind: spike-phase, modes: 3}",
            r"unknown key operator.spike-phase.modes; .*token_ms, bins, width",
        ),
        ("operator: transformer", r"operator preset 'transformer' is unknown; expected one of paper-pv"),
        ("epochs: 0", r"epochs is 0: .*greater than or equal to 1"),
        ("validate_every: 9\nepochs: 8", r"validate_every is 9 but there are 8 epochs"),
        ("- a\n- b", r"holds list; expected keys and values"),
        ("a: [", r"is not YAML"),
    ],
)
def test_a_mistake_gets_one_sentence(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "train.yaml" in str(caught.value)


def test_nothing_changes_after_it_is_made():
    with pytest.raises(ValidationError):
        TrainConfig().epochs = 3  # type: ignore[misc]
