"""Writes texts.json: the texts on which vectors are compared with sentence-transformers.

English, Chinese and mixed reviews put together from the phrases below, from one word to many hundred tokens, and the odd
inputs that break tokenisers. The same seed gives the same file.
"""

import json
import pathlib
import random

SUBJECTS = ["The kettle", "This jacket", "The course", "My second order", "The hotel room", "The phone case", "Delivery",
            "Customer service", "The battery", "The paperback", "That coffee grinder", "The desk lamp", "The app"]
VERBS = ["arrived", "broke", "works", "looks", "feels", "was", "turned out", "smells", "fits", "charges", "shipped"]
ENDS = ["two days late", "better than I hoped", "after one week", "like new", "far too small", "exactly as described",
        "for $19.99 (30% off)", "in a torn box", "a little cheap", "without any instructions", "faster than promised",
        "just fine, thank you", "nothing like the pictures", "very quietly", "with a strange noise at night"]
JOINS = [". ", "! ", ", but ", "; ", " - ", "... ", ", and ", "?! ", ".\n", " :) "]

ZH_SUBJECTS = ["这个水壶", "这件外套", "这门课程", "第二次下单", "酒店的房间", "手机壳", "快递", "客服", "电池", "这本书",
               "磨豆机", "台灯", "软件"]
ZH_VERBS = ["质量", "做工", "价格", "颜色", "味道", "速度", "服务", "包装", "内容", "手感"]
ZH_ENDS = ["非常好", "一般般", "让人失望", "比想象中好得多", "和图片完全不一样", "值得推荐", "用了一周就坏了", "有点贵",
           "超出预期", "还可以，下次再来", "太小了", "晚到了两天", "物有所值"]
ZH_JOINS = ["，", "。", "！", "；", "……", "，但是", "，而且", "？", "～"]

ODD = [
    "", " ", "   \t\n  ", "\n", "\u00a0", "\u3000", "\u200b", ".", "?!", "a", "I", "好", "1", "0.5", "$", "#hashtag",
    "don't can't won't it's", "e-mail: nobody@example.org, see https://example.org/a?b=c&d=1#e",
    "ALL CAPS REVIEW!!! DO NOT BUY!!!", "mIxEd CaSe TeXt", "naïve café déjà vu Ångström Łódź ẞtraße",
    "Ça va? Où est la bibliothèque?", "Привет, очень хороший товар", "とても良い商品です。また買います。", "아주 좋은 제품입니다",
    "منتج رائع وأنصح به بشدة", "מוצר נהדר, ממליץ בחום", "abc \u202eשלום\u202c xyz", "สินค้าดีมาก", "बहुत अच्छा उत्पाद",
    "😀", "😀😀😀 great 👍🏽", "👨‍👩‍👧‍👦 family 🇨🇳🇬🇧", "❤️❤️❤️❤️❤️", "★★★★☆", "→ ← ↑ ↓ ∞ ≠ ½ ²", "ﬁne ﬂour №5 ①②③ ＡＢＣ１２３",
    "tab\tseparated\tvalues", "line one\r\nline two\r\nline three", "nul\u0000inside", "bell\u0007 and escape\u001b[0m",
    "\ufeffbyte order mark", "replacement \ufffd character", "zero\u200bwidth\u200djoiner", "combining e\u0301 a\u0308 n\u0303",
    "x" * 50, "x" * 101, "na" * 150, "very " * 100, "好" * 200, "ha ha ha ha ha ha ha", "no no no no",
    "   leading and trailing spaces   ", "many      inner       spaces", "comma,comma,comma,comma", "a.b.c.d.e.f.g",
    "1234567890 98,765.43 1e-10 0xFF", "[CLS] [SEP] [PAD] [MASK] [UNK]", "<s> </s> <pad> <unk> <mask>",
    "{\"json\": [1, 2, {\"a\": null}]}", "<p>Some <b>HTML</b> &amp; entities</p>", "SELECT * FROM reviews WHERE id = 1; --",
    "query: is the prefix in the text itself?", "这个 phone case 真的 very nice，颜色很 beautiful！", "iPhone15手机壳和iPad保护套",
    "性价比高👍，推荐给大家😊", "繁體中文的評論也要試試看", "生僻字：龘靐齉爩", "全角，标点。和！空格　混用",
    "Pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism",
]

# Sentences a text is made of; every length is used for English, Chinese and mixed texts.
LENGTHS = [1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 33, 36, 40, 44,
           48, 52, 56, 60, 65, 70, 75, 80, 90, 100]


def english(random_source, n_sentences):
    text = ""
    for _ in range(n_sentences):
        parts = [random_source.choice(words) for words in (SUBJECTS, VERBS, ENDS)]
        text += " ".join(parts) + random_source.choice(JOINS)
    return text.strip()


def chinese(random_source, n_sentences):
    text = ""
    for _ in range(n_sentences):
        text += "".join(random_source.choice(words) for words in (ZH_SUBJECTS, ZH_VERBS, ZH_ENDS, ZH_JOINS))
    return text


def mixed(random_source, n_sentences):
    parts = [random_source.choice((english, chinese))(random_source, 1) for _ in range(n_sentences)]
    return " ".join(parts)


def main():
    random_source = random.Random(20240501)
    texts = list(ODD)
    for kind in (english, chinese, mixed):
        texts += [kind(random_source, n_sentences) for n_sentences in LENGTHS]
    texts += [random_source.choice(SUBJECTS).split()[-1] for _ in range(4)]
    texts += [random_source.choice(ZH_ENDS) for _ in range(4)]
    target = pathlib.Path(__file__).parent / "texts.json"
    written = json.dumps(texts, ensure_ascii=False, indent=0) + "\n"
    for invisible in "\u200b\u200d\u202c\u202e\ufeff":
        written = written.replace(invisible, f"\\u{ord(invisible):04x}")
    target.write_text(written, encoding="utf-8")
    print(f"{len(texts)} texts, the longest of {max(map(len, texts))} characters")


if __name__ == "__main__":
    main()
