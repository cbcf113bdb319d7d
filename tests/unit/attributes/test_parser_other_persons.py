"""What is said of another person than the one described is not drawn, and the text is said to speak of one."""

import pytest

from styleT2I.attributes.parsing.parser import parse

OTHERS = [  # class by class: text, attributes (CelebA), the words about the other person
    ("she is younger than her bearded husband", {"Male": False, "Young": True}, "than her bearded husband"),
    ("a man with more hair than the bald woman", {"Male": True}, "than the bald woman"),
    ("unlike his blond sister, he has black hair", {"Male": True, "Black_Hair": True}, "unlike his blond sister"),
    ("a woman who, unlike the man beside her, is smiling", {"Male": False, "Smiling": True},
     "unlike the man beside her"),
    ("she looks nothing like her bald uncle", {"Male": False}, "like her bald uncle"),
    ("a girl whose father wears glasses", {"Male": False, "Young": True}, "whose father wears glasses"),
    ("a bald man whose wife is old and blond", {"Male": True, "Bald": True}, "whose wife is old and blond"),
    ("her husband is bald, but she has bangs", {"Male": False, "Bangs": True}, "her husband is bald"),
    ("his mother has gray hair; he has brown hair", {"Male": True, "Brown_Hair": True}, "his mother has gray hair"),
    ("he kisses his blonde wife", {"Male": True}, "his blonde wife"),
    ("a lady grinning at a man with a goatee", {"Male": False, "Smiling": True}, "at a man with a goatee"),
    ("a boy next to a woman in a hat", {"Male": True, "Young": True}, "to a woman in a hat"),
    ("he hugs a woman in glasses; he has sideburns", {"Male": True, "Sideburns": True}, "a woman in glasses"),
    ("a girl in love with an old man", {"Male": False, "Young": True}, "with an old man"),
    ("a lady with a bald husband", {"Male": False}, "with a bald husband"),
    ("a boy with his father, who has a goatee", {"Male": True, "Young": True}, "with his father, who has a goatee"),
    ("a man in a hat, not the woman with the earrings", {"Male": True, "Wearing_Hat": True},
     "not the woman with the earrings"),
    ("the lady whom the bald man is staring at has bangs", {"Male": False, "Bangs": True},
     "whom the bald man is staring at"),
    ("the boy beside the old lady smiles", {"Male": True, "Young": True, "Smiling": True}, "beside the old lady"),
    ("she has the big lips of her uncle, a bald man in a hat, and earrings",
     {"Male": False, "Big_Lips": True, "Wearing_Earrings": True}, "her uncle, a bald man in a hat"),
    ("his wife cut his bangs", {"Male": True}, "his wife cut his bangs"),
    ("as young as her brother, she has his big nose", {"Male": False, "Young": True, "Big_Nose": True},
     "as her brother"),
    ("the man whose wife is blond wears a tie", {"Male": True, "Wearing_Necktie": True}, "whose wife is blond"),
    ("taller than the lady in glasses, he smiles", {"Male": True, "Smiling": True}, "than the lady in glasses"),
    ("behind him stands an old woman, and he has a beard", {"Male": True, "No_Beard": False},
     "behind him stands an old woman"),
]  # fmt: skip


@pytest.mark.parametrize("text, attributes, passed", OTHERS)
def test_another_person_gives_the_subject_nothing(text, attributes, passed):
    parsed = parse(text, "celeba")
    found = {name: value for name, value in parsed.attributes.items()}
    assert found == attributes
    assert parsed.contradictions == (f'speaks of another person, "{passed}", of whom nothing is drawn',)


@pytest.mark.parametrize(
    "text, attributes",
    [
        ("my sister is young and she wears lipstick", {"Male": False, "Young": True, "Wearing_Lipstick": True}),
        ("his aunt has wavy hair", {"Male": False, "Wavy_Hair": True}),  # she is who is described
        ("her husband is bald", {"Male": True, "Bald": True}),
        ("her son is bald and he is smiling", {"Male": True, "Bald": True, "Smiling": True}),
        ("a portrait of his old uncle", {"Male": True, "Young": False}),
        ("look at this woman with earrings", {"Male": False, "Wearing_Earrings": True}),
        ("a man whose hair is black", {"Male": True, "Black_Hair": True}),
        ("my friend's uncle, who is bald", {"Male": True, "Bald": True}),
        ("the artist painted a young woman", {"Male": False, "Young": True}),
        ("a boy in his father's hat", {"Male": True, "Young": True, "Wearing_Hat": True}),
        ("I am looking at a man with a beard", {"Male": True, "No_Beard": False}),
        ("a woman looking at the camera with glasses", {"Male": False, "Eyeglasses": True}),
        ("the beard is longer than the hair of the man", {"Male": True, "No_Beard": False}),
    ],
)
def test_who_is_the_only_one_is_described(text, attributes):
    parsed = parse(text, "celeba")
    assert parsed.attributes == attributes and parsed.contradictions == ()


def test_a_comparison_with_nobody_hides_nothing():
    """ "Smaller than average" is about the bird itself; "than his uncle" is about somebody else."""
    found = parse("a slightly smaller than average all black bird with a short black beak", "cub").attributes
    assert found == parse("a small all black bird with a short black beak", "cub").attributes
    assert parse("he is older than his bald uncle", "celeba").attributes == {"Male": True, "Young": False}
