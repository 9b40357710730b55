"""Word lists that several tasks share. All are facts or everyday English, compiled here.

Given names: common in the United States (Social Security Administration counts, public domain),
each one token with a leading space in GPT-2's vocabulary as used by the IOI literature.
Nouns: everyday English. Public domain (CC0).
"""

MALE_NAMES = (
    "Michael", "Matthew", "Daniel", "David", "James", "Robert", "John", "Joseph",
    "Andrew", "Ryan", "Jason", "Justin", "William", "Brian", "Anthony", "Eric",
    "Adam", "Kevin", "Steven", "Thomas", "Kyle", "Richard", "Mark", "Aaron",
    "Charles", "Jacob", "Patrick", "Sean", "Nathan", "Paul", "Scott", "Samuel",
)  # fmt: skip
FEMALE_NAMES = (
    "Jessica", "Ashley", "Jennifer", "Amanda", "Sarah", "Nicole", "Heather", "Elizabeth",
    "Megan", "Melissa", "Rachel", "Laura", "Lauren", "Amber", "Danielle", "Kimberly",
    "Amy", "Michelle", "Emily", "Rebecca", "Samantha", "Angela", "Katherine", "Andrea",
    "Mary", "Lisa", "Katie", "Vanessa", "Christine", "Alicia", "Allison", "Stephanie",
)  # fmt: skip
NAMES = tuple(
    name
    for i, (man, woman) in enumerate(zip(MALE_NAMES, FEMALE_NAMES, strict=True))
    for name in ((man, woman) if i % 2 == 0 else (woman, man))
)
"""Ordered so that every other name is a man in exactly half of the cases."""

PLACES = (
    "store", "garden", "restaurant", "school", "hospital", "office", "house", "station",
    "market", "library", "museum", "park", "beach", "church", "bank", "farm",
    "hotel", "theater", "gym", "bridge",
)  # fmt: skip
OBJECTS = (
    "ring", "kiss", "bone", "basketball", "computer", "necklace", "drink", "snack",
    "book", "pencil", "ticket", "letter", "phone", "camera", "jacket", "map",
    "guitar", "hammer", "coin", "bottle",
)  # fmt: skip
NOUNS = (
    "apple", "chair", "window", "river", "stone", "bread", "paper", "cloud",
    "knife", "wheel", "brush", "glass", "train", "shirt", "table", "light",
    "mouse", "plant", "snow", "rope", "salt", "silver", "sugar", "thunder",
    "tower", "valley", "wagon", "winter", "wood", "yellow", "bell", "boat",
    "butter", "candle", "castle", "cheese", "corn", "cotton", "cream", "crown",
    "desert", "diamond", "dragon", "drum", "dust", "eagle", "engine", "fence",
    "field", "flag", "flame", "flower", "forest", "fruit", "gate", "gold",
    "grass", "hat", "hill", "honey", "ice", "iron", "island", "jewel",
    "juice", "lake", "lamp", "leaf", "lemon", "lion", "meat", "milk",
    "mirror", "moon", "mountain", "nail", "needle", "nest", "oil", "orange",
    "pepper", "pillow", "pipe", "plate", "queen", "rain", "rice", "road",
    "roof", "rose", "sand", "shadow", "sheep", "shell", "ship", "shoe",
)  # fmt: skip
"""Queried by the induction task, and what `random-token` puts in place of a word."""
