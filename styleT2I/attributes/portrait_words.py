"""The words from which the captions of Portraits are made."""

PRONOUNS = {True: ("he", "him", "his"), False: ("she", "her", "her"), None: ("they", "them", "their")}
NOUNS = {
    True: ("man", "man", "man", "guy", "gentleman", "fellow"),
    False: ("woman", "woman", "woman", "lady"),
    None: ("person", "person", "person", "individual"),
}
AGES = {True: ("young", "young", "youthful"), False: ("old", "old", "elderly", "older")}
PICTURES = ("photo", "portrait", "picture", "photograph", "image", "close-up")

# What may stand before the noun: (attribute, value) -> words
ADJECTIVES = {
    ("Bald", True): ("bald",),
    ("Chubby", True): ("chubby", "plump"),
    ("Smiling", True): ("smiling", "grinning"),
    ("Smiling", False): ("unsmiling",),
    ("No_Beard", False): ("bearded",),
    ("No_Beard", True): ("clean-shaven",),
    ("Dark_Skin", True): ("dark-skinned",),
    ("Pale_Skin", True): ("pale-skinned", "fair-skinned"),
    ("Long_Hair", True): ("long-haired",),
    ("Long_Hair", False): ("short-haired",),
    ("Black_Hair", True): ("black-haired",),
    ("Brown_Hair", True): ("brown-haired",),
    ("Blond_Hair", True): ("blond", "blond-haired"),
    ("Gray_Hair", True): ("gray-haired", "grey-haired"),
}
# What may stand before "hair", in this order
HAIR = {
    ("Long_Hair", True): ("long",),
    ("Long_Hair", False): ("short",),
    ("Straight_Hair", True): ("straight",),
    ("Wavy_Hair", True): ("wavy", "wavy", "curly"),
    ("Black_Hair", True): ("black", "black", "jet-black"),
    ("Brown_Hair", True): ("brown", "brown", "chestnut"),
    ("Blond_Hair", True): ("blond", "blonde", "golden"),
    ("Gray_Hair", True): ("gray", "grey", "silver"),
}
HAS = {
    ("5_o_Clock_Shadow", True): ("a 5 o'clock shadow", "stubble"),
    ("Bangs", True): ("bangs", "bangs", "a fringe"),
    ("Big_Lips", True): ("big lips", "full lips"),
    ("Big_Nose", True): ("a big nose", "a large nose"),
    ("Bushy_Eyebrows", True): ("bushy eyebrows", "thick eyebrows"),
    ("Dark_Skin", True): ("dark skin", "a dark complexion"),
    ("Pale_Skin", True): ("pale skin", "fair skin"),
    ("Goatee", True): ("a goatee",),
    ("Mouth_Slightly_Open", True): ("an open mouth", "a slightly open mouth", "parted lips"),
    ("Mouth_Slightly_Open", False): ("a closed mouth", "closed lips"),
    ("Mustache", True): ("a mustache", "a moustache"),
    ("No_Beard", False): ("a beard",),
    ("Receding_Hairline", True): ("a receding hairline",),
    ("Rosy_Cheeks", True): ("rosy cheeks", "flushed cheeks"),
    ("Smiling", True): ("a smile", "a grin"),
}
WEARS = {
    ("Eyeglasses", True): ("glasses", "eyeglasses", "a pair of glasses"),
    ("Heavy_Makeup", True): ("heavy makeup", "makeup"),
    ("Wearing_Earrings", True): ("earrings", "a pair of earrings"),
    ("Wearing_Hat", True): ("a hat", "a hat", "a cap"),
    ("Wearing_Lipstick", True): ("lipstick",),
    ("Wearing_Necklace", True): ("a necklace",),
}
IS = {
    ("Bald", True): ("bald",),
    ("Chubby", True): ("chubby",),
    ("Smiling", True): ("smiling", "smiling", "grinning"),
    ("Young", True): ("young",),
    ("Young", False): ("old", "elderly"),
}
NO_HAS = {
    ("Bangs", False): ("bangs", "fringe"),
    ("Goatee", False): ("goatee",),
    ("Mustache", False): ("mustache", "moustache"),
    ("No_Beard", True): ("beard",),
}
NO_WEARS = {
    ("Eyeglasses", False): ("glasses", "eyeglasses"),
    ("Heavy_Makeup", False): ("makeup",),
    ("Wearing_Earrings", False): ("earrings",),
    ("Wearing_Hat", False): ("hat",),
    ("Wearing_Lipstick", False): ("lipstick",),
    ("Wearing_Necklace", False): ("necklace",),
}

# Multi-Modal-CelebA-HQ names what is there, without articles
RELEASE_HAS = {
    "5_o_Clock_Shadow": "5 o'clock shadow", "Bangs": "bangs", "Big_Lips": "big lips", "Big_Nose": "big nose",
    "Black_Hair": "black hair", "Blond_Hair": "blond hair", "Brown_Hair": "brown hair", "Gray_Hair": "gray hair",
    "Bushy_Eyebrows": "bushy eyebrows", "Goatee": "goatee", "Mouth_Slightly_Open": "mouth slightly open",
    "Mustache": "mustache", "Pale_Skin": "pale skin", "Receding_Hairline": "receding hairline",
    "Rosy_Cheeks": "rosy cheeks", "Straight_Hair": "straight hair", "Wavy_Hair": "wavy hair",
    "Dark_Skin": "dark skin", "Long_Hair": "long hair",
}  # fmt: skip
RELEASE_WEARS = {
    "Eyeglasses": "eyeglasses", "Heavy_Makeup": "heavy makeup", "Wearing_Earrings": "earrings", "Wearing_Hat": "hat",
    "Wearing_Lipstick": "lipstick", "Wearing_Necklace": "necklace",
}  # fmt: skip
RELEASE_IS = {"Bald": "bald", "Chubby": "chubby", "Smiling": "smiling", "Young": "young"}
