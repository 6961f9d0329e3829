TEAS = {
    "assam": {
        "name": "Assam",
        "kind": "black",
        "minutes": 4,
        "text": "Strong and malty, from the north-east of India. It takes milk well.",
    },
    "earl-grey": {
        "name": "Earl Grey",
        "kind": "black",
        "minutes": 4,
        "text": "Black tea with the oil of bergamot, a fruit between lemon and orange.",
    },
    "sencha": {
        "name": "Sencha",
        "kind": "green",
        "minutes": 2,
        "text": "Fresh as cut grass, from Japan. Let the water cool a little first.",
    },
    "jasmine": {
        "name": "Jasmine",
        "kind": "green",
        "minutes": 3,
        "text": "Green tea that has lain among jasmine flowers for a night or more.",
    },
    "peppermint": {
        "name": "Peppermint",
        "kind": "herbal",
        "minutes": 8,
        "text": "Leaves from our own garden, and nothing else. Good late in the evening.",
    },
}
