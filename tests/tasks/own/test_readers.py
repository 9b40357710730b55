"""Users' files: every layout, and one clear sentence for every kind of bad input."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from circuitvar.tasks.own.readers import read_pairs, task_from_file
from circuitvar.tasks.own.tables import read_table
from circuitvar.tasks.own.token_pairs import read_token_pairs
from circuitvar.tasks.tokens.tokens import tokenize
from circuitvar.tasks.types import PromptPair
from tests.tasks.toy_tokenizers import word_tokenizer

OWN = "clean,corrupt,answer,wrong_answer,template\n"
ROWS = ["Mary went to,John went to, Mary, John,t1\n", '"Paul, he","Mary, he", Paul, Mary,t2\n']
WORDS = "Mary John Paul went to , he the year 17 32 01 33 31"


def write(folder, text: str | bytes, name: str = "pairs.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_own_layout_in_three_formats_reads_the_same(tmp_path):
    columns = OWN.strip().split(",")
    records = [
        dict(zip(columns, ("Mary went to", "John went to", " Mary", " John", "t1"), strict=True)),
        dict(zip(columns, ("Paul, he", "Mary, he", " Paul", " Mary", "t2"), strict=True)),
    ]
    csv = write(tmp_path, "\ufeff" + OWN + "".join(ROWS))
    lines = write(tmp_path, "\n".join(map(json.dumps, records)) + "\n\n", "pairs.jsonl")
    tabs = write(
        tmp_path,
        "\n".join("\t".join(row) for row in [columns, *(list(r.values()) for r in records)]),
        "pairs.tsv",
    )
    parquet = tmp_path / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist(records), parquet)
    expected = read_pairs(csv).pairs
    assert [pair.template for pair in expected["corrupt"]] == ["t1", "t2"]
    assert expected["corrupt"][1].clean == "Paul, he"
    for path in (lines, tabs, parquet):
        assert read_pairs(path).pairs == expected


def test_several_answers_as_a_list(tmp_path):
    row = {"clean": "Mary", "corrupt": "John", "answer": [" he", " to"], "wrong_answer": " went"}
    pair = read_pairs(write(tmp_path, json.dumps(row), "x.jsonl")).pairs["corrupt"][0]
    assert pair.answers == (" he", " to")
    assert pair.template == ""


def test_eap_ig_layout_carries_token_ids_and_alternative_corruptions(tmp_path):
    text = (
        ",clean,corrupted,corrupted_hard,correct_idx,incorrect_idx\n7,Mary to,John to,Paul to,4,5\n"
    )
    task = task_from_file(write(tmp_path, text))
    assert [c.key for c in task.corruptions] == ["corrupted", "corrupted_hard"]
    pairs = task.sample(1, rng=np.random.default_rng(0), corruption="corrupted_hard")
    assert pairs[0].corrupt == "Paul to"
    batch = tokenize(pairs, word_tokenizer(WORDS)).batch
    assert batch.answers.tolist() == [[4]]
    assert batch.wrong_answers.tolist() == [[5]]
    outside = write(tmp_path, text.replace("4,5", "4,5000"))
    with pytest.raises(ValueError, match="answer id is not in the vocabulary"):
        tokenize(read_pairs(outside).pairs["corrupted"], word_tokenizer(WORDS))


def test_eap_ig_greater_than_layout(tmp_path):
    text = "clean,corrupted,label\nthe year 1732 to 17,the year 1701 to 17,32\n"
    file = read_pairs(write(tmp_path, text))
    pair = file.pairs["corrupted"][0]
    assert file.metric == "prob_diff"
    assert pair.answers[0] == "33"
    assert pair.wrong_answers[-1] == "32"
    assert len(pair.answers) + len(pair.wrong_answers) == 100
    two = text.replace("1732", "1702").replace(",32", ",2")
    early = read_pairs(write(tmp_path, two)).pairs["corrupted"][0]
    assert early.answers[0] == "03"


def mib_folder(tmp_path, rows):
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "saved"
    datasets.Dataset.from_list(rows).save_to_disk(str(folder))
    return folder


def test_mib_names_layout(tmp_path):
    row = {
        "prompt": "Mary John went, John to",
        "template": "tpl",
        "choices": ["Mary", "John"],
        "answerKey": 0,
        "metadata": {"indirect_object": "Mary", "subject": "John"},
        "abc_counterfactual": {"prompt": "Paul he went, Mary to", "choices": [], "answerKey": 0},
        "s2_io_flip_counterfactual": {
            "prompt": "Mary John went, Mary to",
            "choices": ["Mary", "John"],
            "answerKey": 1,
        },
    }
    task = task_from_file(mib_folder(tmp_path, [row]))
    assert {c.key for c in task.corruptions} == {"abc_counterfactual", "s2_io_flip_counterfactual"}
    for corruption in task.corruptions:
        pair = task.sample(1, rng=np.random.default_rng(0), corruption=corruption.key)[0]
        assert (pair.answers, pair.wrong_answers) == ((" Mary",), (" John",))
        assert pair.template == "tpl"


def test_mib_choice_and_arithmetic_layouts(tmp_path):
    choice = {
        "prompt": "Question? Answer:",
        "choices": {"label": ["A", "B", "C"], "text": ["red", "blue", "green"]},
        "answerKey": 1,
        "answerPosition_counterfactual": {
            "prompt": "Question! Answer:",
            "choices": {"label": ["A", "B", "C"], "text": ["blue", "red", "green"]},
            "answerKey": 0,
        },
    }
    (pair,) = read_pairs(mib_folder(tmp_path / "a", [choice])).pairs[
        "answerPosition_counterfactual"
    ]
    assert (pair.answers, pair.wrong_answers) == ((" B",), (" A",))
    total = {
        "prompt": "The sum of 2 and 3 is ",
        "label": "5",
        "random_counterfactual": {"prompt": "The sum of 4 and 3 is ", "label": "7"},
    }
    (pair,) = read_pairs(mib_folder(tmp_path / "b", [total])).pairs["random_counterfactual"]
    assert (pair.answers, pair.wrong_answers) == (("5",), ("7",))


def test_a_file_task_draws_without_replacement(tmp_path):
    rows = "".join(f"a{i} to,b{i} to, c{i}, d{i},t{i % 2}\n" for i in range(10))
    task = task_from_file(write(tmp_path, OWN + rows))
    pairs = task.sample(10, rng=np.random.default_rng(0))
    assert len({pair.clean for pair in pairs}) == 10
    assert pairs == task.sample(10, rng=np.random.default_rng(0))
    half = task.sample(5, rng=np.random.default_rng(0), templates=("t1",))
    assert {pair.template for pair in half} == {"t1"}
    with pytest.raises(ValueError, match="11 examples are asked for and 10 different rows fit"):
        task.sample(11, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="has no pool 'a': choose from all"):
        task.sample(1, rng=np.random.default_rng(0), pool="a")


def test_repeated_rows_are_left_out_and_listed(tmp_path):
    path = write(tmp_path, OWN + ROWS[0] + ROWS[1] + ROWS[0])
    file = read_pairs(path)
    assert len(file.pairs["corrupt"]) == 2
    assert file.dropped.to_dict("records") == [
        {"row": 3, "corruption": "corrupt", "reason": "repeats row 1"}
    ]
    assert "1 of 3 rows left out (row 3: repeats row 1)" in task_from_file(path).source
    clash = OWN + ROWS[0] + ROWS[0].replace(", Mary, John", ", John, Mary")
    with pytest.raises(ValueError, match="row 2, column 'corrupt': same prompts as row 1 but"):
        read_pairs(write(tmp_path, clash))


BAD = [
    ("", "pairs.csv", "the file is empty"),
    ("  \n\n", "pairs.csv", "the file is empty"),
    (OWN, "pairs.csv", "has columns but no rows"),
    (OWN.encode() + b"caf\xe9,b, c, d,t\n", "pairs.csv", r"line 2 is not UTF-8 \(byte 0xe9"),
    (OWN.encode("utf-16"), "pairs.csv", "not UTF-8"),
    ("a\0b", "pairs.csv", "contains zero bytes"),
    (OWN + "a,b, c\n", "pairs.csv", r"row 1 \(line 2\) has 3 cells, the header has 5"),
    (OWN + 'a,"b, c, d,t\n', "pairs.csv", "is not valid CSV"),
    ("clean,clean,x\n1,2,3\n", "pairs.csv", "names column 'clean' more than once"),
    ("clean,corrupt,answer\na,b, c\n", "pairs.csv", "missing column 'wrong_answer'; found 'clean'"),
    ("clean,answer,wrong_answer\na, b, c\n", "pairs.csv", "missing column 'corrupt'"),
    (OWN + ROWS[0] + "a,, c, d,t\n", "pairs.csv", "row 2, column 'corrupt': the cell is empty"),
    (OWN + "a,b, c, c,t\n", "pairs.csv", "row 1, column 'wrong_answer': ' c' is also the answer"),
    ("{}\n{", "x.jsonl", "line 2 is not valid JSON"),
    ("[1]", "x.jsonl", "line 1 holds a list, not an object"),
    ('{"clean": 3, "corrupt": "a", "answer": " b", "wrong_answer": " c"}', "x.jsonl",
     "row 1, column 'clean': expected text, found int 3"),
    ('{"clean": "x", "corrupt": "a", "answer": [], "wrong_answer": " c"}', "x.jsonl",
     r"row 1, column 'answer': expected a list of texts, found \[\]"),
    ("PAR", "x.parquet", "not a parquet file"),
    ("x", "x.xlsx", "cannot read files ending in '.xlsx'; use .csv"),
    ("clean,corrupted,label\na,b,99\n", "x.csv", "row 1, column 'label': expected a two-digit"),
    ("clean,corrupted,correct_idx,incorrect_idx\na,b,x,1\n", "x.csv",
     "row 1, column 'correct_idx': expected token ids"),
    ("clean,corrupted,correct_idx,incorrect_idx\na,b,1,1\n", "x.csv",
     "row 1, column 'incorrect_idx': token id 1 is also the answer"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "name", "message"), BAD)
def test_bad_files_are_named_with_row_and_column(tmp_path, content, name, message):
    path = write(tmp_path, content, name)
    with pytest.raises(ValueError, match=message) as caught:
        read_pairs(path, strict=True)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_other_folders(tmp_path):
    with pytest.raises(ValueError, match="no such file or folder"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"not one written by datasets\.save_to_disk"):
        read_table(tmp_path)


IDS = {"clean_ids": [2, 5, 6], "corrupt_ids": [2, 7, 6], "answer_ids": [8], "wrong_answer_ids": 9}
BAD_IDS = [
    ({"corrupt_ids": [2, 7]}, "row 2, column 'corrupt_ids': 2 ids, but clean_ids has 3"),
    ({"corrupt_ids": [2, 5, 6]}, "row 2, column 'corrupt_ids': equals clean_ids"),
    ({"answer_ids": [9]}, "row 2, column 'wrong_answer_ids': id 9 is also an answer"),
    ({"answer_ids": [90]}, "row 2, column 'answer_ids': id 90 is not below the vocabulary's 20"),
    ({"answer_ids": "x"}, "row 2, column 'answer_ids': expected token ids"),
    ({"answer_ids": [-1]}, "row 2, column 'answer_ids': expected token ids"),
    ({"clean_ids": [2] * 9, "corrupt_ids": [3] * 9}, "row 2, column 'clean_ids': 9 ids, the model"),
]


def test_token_pairs_become_a_batch_without_a_tokenizer(tmp_path):
    path = write(
        tmp_path, json.dumps(IDS) + "\n" + json.dumps(IDS | {"clean_ids": [2, 5, 5]}), "i.jsonl"
    )
    batch = read_token_pairs(path, vocab_size=20, max_length=8)
    assert batch.clean.tolist() == [[2, 5, 6], [2, 5, 5]]
    assert batch.answers.tolist() == [[8], [8]]
    assert batch.wrong_answers.tolist() == [[9], [9]]
    assert batch.last.tolist() == [2, 2]
    with pytest.raises(ValueError, match="missing column 'answer_ids'"):
        read_pairs(write(tmp_path, '{"clean_ids": [1], "corrupt_ids": [2]}', "j.jsonl"))
    with pytest.raises(ValueError, match="missing column 'clean_ids', 'corrupt_ids'"):
        read_token_pairs(write(tmp_path, OWN + ROWS[0]))


@pytest.mark.parametrize(("change", "message"), BAD_IDS)
def test_bad_token_pairs(tmp_path, change, message):
    path = write(tmp_path, json.dumps(IDS) + "\n" + json.dumps(IDS | change), "i.jsonl")
    with pytest.raises(ValueError, match=message):
        read_token_pairs(path, vocab_size=20, max_length=8)


def test_token_pairs_are_a_task_that_needs_no_tokenizer(tmp_path):
    rows = [IDS | {"clean_ids": [2, 5, i], "template": f"t{i % 2}"} for i in range(10, 16)]
    path = write(tmp_path, "\n".join(map(json.dumps, rows)), "i.jsonl")
    task = task_from_file(path)
    assert task.templates == ("t0", "t1")
    pairs = task.sample(6, rng=np.random.default_rng(0))
    done = tokenize(pairs, None, vocab_size=20, max_length=8)
    assert sorted(done.batch.clean[:, 2].tolist()) == list(range(10, 16))
    assert done.batch.answers.tolist() == [[8]] * 6
    assert done.batch.index.tolist() == list(done.kept) == list(range(6))
    fewer = tokenize(pairs, None, vocab_size=14, minimum=2)
    assert set(fewer.dropped["reason"]) == {"token id is not in the vocabulary"}
    with pytest.raises(ValueError, match=r"only 4 of 6 .* 2 x token id is not in the vocabulary"):
        tokenize(pairs, None, vocab_size=14, minimum=6)
    with pytest.raises(ValueError, match="the model has no tokenizer"):
        tokenize([PromptPair("a", "b", (" c",), (" d",))], None)
    with pytest.raises(ValueError, match="pair 1 is text and pair 0 gives token ids"):
        tokenize([pairs[0], PromptPair("a", "b", (" c",), (" d",))], None)


def test_a_data_set_on_the_hub_loads_by_name(tmp_path, monkeypatch):
    import datasets

    asked = []
    rows = {"clean": ["Mary went to"], "corrupt": ["John went to"]}
    rows |= {"answer": [" Mary"], "wrong_answer": [" John"]}

    def load_dataset(name, config, *, split):
        asked.append((name, config, split))
        return datasets.Dataset.from_dict(rows)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert len(read_pairs("mib-bench/ioi").pairs["corrupt"]) == 1
    task_from_file("mib-bench/arc.v1:easy@test")
    assert asked == [("mib-bench/ioi", None, "train"), ("mib-bench/arc.v1", "easy", "test")]


def test_a_hub_name_that_cannot_be_loaded_is_one_sentence(monkeypatch):
    import datasets

    def offline(*_, **__):
        raise ConnectionError("Couldn't reach 'mib-bench/ioi' on the Hub (offline)")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(ValueError, match=r"split 'train' of 'mib-bench/ioi' could not be loaded"):
        read_pairs("mib-bench/ioi")


def test_a_row_that_cannot_be_read_is_left_out_and_named(tmp_path):
    path = write(tmp_path, OWN + ROWS[0] + "a,, c, d,t\n" + "a,b, c, c,t\n" + ROWS[1])
    file = read_pairs(path)
    assert len(file.pairs["corrupt"]) == 2
    assert file.dropped["row"].tolist() == [2, 3]
    said = "2 of 4 rows left out (row 2: column 'corrupt': the cell is empty"
    assert said in task_from_file(path).source
    with pytest.raises(ValueError, match="row 2, column 'corrupt': the cell is empty"):
        read_pairs(path, strict=True)
    with pytest.raises(ValueError, match="row 1, column 'corrupt': the cell is empty"):
        read_pairs(write(tmp_path, OWN + "a,, c, d,t\n"))


def test_a_corruption_that_a_row_lacks_costs_only_that_corruption(tmp_path):
    one = {
        "prompt": "1 and 2 is",
        "label": "3",
        "x_counterfactual": {"prompt": "4 and 2 is", "label": "6"},
    }
    rows = [
        one | {"y_counterfactual": {"prompt": "1 and 9 is", "label": "10"}},
        {**one, "prompt": "1 and 1 is", "label": "2", "y_counterfactual": None},
        {**one, "prompt": "3 and 3 is", "label": "6", "y_counterfactual": None},
    ]
    file = read_pairs(write(tmp_path, "\n".join(map(json.dumps, rows)), "p.jsonl"))
    assert [len(file.pairs[f"{name}_counterfactual"]) for name in "xy"] == [2, 1]
    assert sorted(file.dropped["row"]) == [2, 3, 3]


def test_what_repeats_depends_on_the_corruption_and_the_answers(tmp_path):
    head = "clean,corrupt,corrupt_hard,answer,wrong_answer\n"
    rows = "a,b,c, x, y\n" + "a,b,d, x, y\n" + "a,b,c, x, z\n"
    file = read_pairs(write(tmp_path, head + rows))
    assert {name: len(pairs) for name, pairs in file.pairs.items()} == {
        "corrupt": 2,
        "corrupt_hard": 3,
    }


def test_answers_without_a_space_are_the_tokenizers_business(tmp_path):
    rows = "The Chief Executive Officer (CE,The Chief Executive Manager (CE,O,M,t\n"
    (pair,) = read_pairs(write(tmp_path, OWN + rows)).pairs["corrupt"]
    assert (pair.answers, pair.wrong_answers) == (("O",), ("M",))


def test_mib_names_have_the_subject_as_wrong_answer_under_every_corruption(tmp_path):
    row = {
        "prompt": "Mary John went, John to",
        "metadata": {"indirect_object": "Mary", "subject": "John"},
        "abc_counterfactual": {
            "prompt": "Paul Ann went, Sue to",
            "metadata": {"indirect_object": "Paul", "subject": "Sue"},
        },
    }
    (pair,) = read_pairs(write(tmp_path, json.dumps(row), "p.jsonl")).pairs["abc_counterfactual"]
    assert (pair.answers, pair.wrong_answers) == ((" Mary",), (" John",))


def test_a_label_that_is_a_class_is_not_read_as_a_year(tmp_path):
    head = "clean,corrupted,label\n"
    year = "The war went from 1732 to 17,The war went from 1701 to 17,32\n"
    assert len(read_pairs(write(tmp_path, head + year)).pairs["corrupted"]) == 1
    for row in ("The film was,The book was,1\n", year.replace(",32", ",33")):
        with pytest.raises(
            ValueError, match="row 1, column 'label': the prompt does not end after"
        ):
            read_pairs(write(tmp_path, head + row))


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        ("clean;corrupt;answer;wrong_answer", "separated by ';'"),
        ("clean, corrupt, answer", "spaces"),
    ],
)
def test_a_header_of_another_kind_is_explained(tmp_path, head, hint):
    with pytest.raises(ValueError, match=hint):
        read_pairs(write(tmp_path, f"{head}\na{head.count(',') * ',b'}\n"))
