from typing import Annotated, Literal, Self

import pytest
from pydantic import Field, ValidationError, model_validator

from noble.configs import Frozen, describe_problems


class Cat(Frozen):
    kind: Literal["cat"] = "cat"
    lives: int = Field(default=9, ge=1)


class Dog(Frozen):
    kind: Literal["dog"] = "dog"
    tricks: tuple[str, ...] = ()


class Box(Frozen):
    width: float = Field(default=1.0, gt=0)


class House(Frozen):
    name: str
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] = Cat()
    box: Box = Box()
    boxes: tuple[Box, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.name == self.pet.kind:
            raise ValueError(f"name is {self.name}, like the pet's kind; choose another")
        return self


class Empty(Frozen):
    width: float = 1.0


def load(tmp_path, text: str) -> House:
    (tmp_path / "house.yaml").write_text(text)
    return House.load(tmp_path / "house.yaml")


def test_a_file_becomes_a_configuration(tmp_path):
    house = load(tmp_path, "name: ours\npet: {kind: dog, tricks: [sit]}\nboxes:\n- {width: 2}\n")
    assert house == House(name="ours", pet=Dog(tricks=("sit",)), boxes=(Box(width=2.0),))


def test_an_empty_file_is_all_defaults(tmp_path):
    for text in ("", "# nothing\n", "{}"):
        (tmp_path / "empty.yaml").write_text(text)
        assert Empty.load(tmp_path / "empty.yaml") == Empty()


def test_it_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        House(name="ours").name = "yours"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "the key name is missing."),
        ("{name: a, colour: red}", "unknown key colour; expected one of name, pet, box, boxes."),
        ("{name: a, box: {depth: 1}}", "unknown key box.depth; expected one of width."),
        ("{name: a, pet: {kind: dog, lives: 3}}", "unknown key pet.dog.lives; expected one of kind, tricks."),
        ("{name: a, boxes: [{}, {depth: 1}]}", "unknown key boxes.1.depth; expected one of width."),
        ("{name: a, box: {width: 0}}", "box.width is 0: Input should be greater than 0."),
        ("{name: cat}", "name is cat, like the pet's kind; choose another."),
        ("{colour: red}", "the key name is missing; unknown key colour; expected one of name, pet, box, boxes."),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_key(tmp_path, text, sentence):
    with pytest.raises(ValueError, match=r"house\.yaml: ") as caught:
        load(tmp_path, text)
    assert str(caught.value).removeprefix(f"{tmp_path / 'house.yaml'}: ") == sentence


def test_an_unknown_kind_names_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"pet is .*'cat', 'dog'"):
        load(tmp_path, "{name: a, pet: {kind: fish}}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- a\n- b\n", "holds list; expected keys and values"),
        (b"just words", "holds str; expected keys and values"),
        (b"a: [1", "is not YAML: "),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path, content, message):
    (tmp_path / "house.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        House.load(tmp_path / "house.yaml")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere.yaml cannot be read \(No such file or directory\)"):
        House.load(tmp_path / "nowhere.yaml")


def test_problems_can_be_described_without_a_file():
    with pytest.raises(ValidationError) as caught:
        House.model_validate({"name": "a", "boxes": [{"width": -1}]})
    assert describe_problems(House, caught.value) == "boxes.0.width is -1: Input should be greater than 0."
