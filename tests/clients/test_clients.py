"""The real `openai` and `huggingface_hub` clients against the built program.

Starts `clientele serve` on a free loopback port over a folder of its own, with the default model out of CLIENTELE_MODELS_DIR. The
model is linked into a folder of its own as well, so that prompts can be added to it. Where the model is not there, every test is
skipped by name.
"""

import json
import os
import unittest
from pathlib import Path

import numpy as np
import openai
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from service import ROOT, Service

MODEL = "all-MiniLM-L6-v2"
FOLDER = Path(os.environ.get("CLIENTELE_MODELS_DIR", ROOT / "models")) / MODEL
TEXTS = ["The espresso machine makes a lovely crema", "Grüße aus den Bergen, die Stiefel halten dicht ☕", "seeds"]
LONG = "word " * 300

SERVICE = None


def with_model(root):
    link_model(root / "models" / MODEL)
    return ["--models-dir", str(root / "models"), "--offline"]


def link_model(folder):
    for file in (path for path in FOLDER.resolve().rglob("*") if path.is_file()):
        link = folder / file.relative_to(FOLDER.resolve())
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    prompts = folder / "config_sentence_transformers.json"
    prompts.unlink(missing_ok=True)
    prompts.write_text(json.dumps({"prompts": {"query": "query: ", "plain": ""}}))


def setUpModule():
    global SERVICE
    if not (FOLDER / "model.safetensors").exists():
        raise unittest.SkipTest(f"{MODEL} is missing; `make models` gets it")
    SERVICE = Service(with_model)


def tearDownModule():
    if SERVICE:
        SERVICE.stop()


def vectors(response):
    return np.array([one.embedding for one in response.data], dtype="float32")


class OpenAi(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=f"{SERVICE.url}/v1", api_key=SERVICE.reader, max_retries=0)
        self.addCleanup(self.client.close)

    def create(self, **ask):
        return self.client.embeddings.create(**{"model": MODEL, "input": TEXTS} | ask)

    def refused(self, kind, message, **ask):
        with self.assertRaises(kind) as raised:
            self.create(**ask)
        self.assertIn(message, raised.exception.message)
        return raised.exception

    def test_base64_which_the_client_asks_for_by_itself_and_floats_are_the_same(self):
        by_base64, by_float = self.create(), self.create(encoding_format="float")
        self.assertEqual(vectors(by_base64).shape, (3, 384))
        np.testing.assert_array_equal(vectors(by_base64), vectors(by_float))
        np.testing.assert_allclose(np.linalg.norm(vectors(by_base64), axis=1), 1, atol=1e-5)
        self.assertEqual([one.index for one in by_base64.data], [0, 1, 2])
        self.assertIsInstance(self.create(encoding_format="base64").data[0].embedding, str)

    def test_one_text_is_as_the_same_text_in_a_list(self):
        alone = self.create(input=TEXTS[0])
        self.assertEqual((alone.object, alone.model, len(alone.data)), ("list", MODEL, 1))
        np.testing.assert_allclose(vectors(alone)[0], vectors(self.create())[0], atol=1e-5)

    def test_token_arrays_give_the_vectors_of_their_texts_and_are_counted_alike(self):
        tokens = SERVICE.post("/tokenize", {"inputs": TEXTS, "add_special_tokens": False})
        ids = [[token["id"] for token in text] for text in tokens]
        by_text, by_ids, one = self.create(), self.create(input=ids), self.create(input=ids[0])
        np.testing.assert_allclose(vectors(by_ids), vectors(by_text), atol=1e-5)
        np.testing.assert_allclose(vectors(one)[0], vectors(by_text)[0], atol=1e-5)
        self.assertEqual(by_text.usage.prompt_tokens, sum(len(text) + 2 for text in ids))
        self.assertEqual(by_ids.usage, by_text.usage)
        self.assertEqual(by_ids.usage.total_tokens, by_ids.usage.prompt_tokens)

    def test_what_is_wrong_is_told_in_the_clients_own_exceptions(self):
        wrong = self.refused(openai.BadRequestError, "/input/1 is an empty text", input=["a", ""])
        self.assertEqual((wrong.code, wrong.param, wrong.type), ("invalid_field", "input", "invalid_request_error"))
        self.assertTrue(wrong.request_id)
        self.refused(openai.BadRequestError, "empty list", input=[])
        self.refused(openai.BadRequestError, "token ids below 30522", input=[[1, 50_000]])
        self.refused(openai.BadRequestError, "one call takes 2048", input=["a"] * 2_049)
        unknown = self.refused(openai.NotFoundError, "there is no model", model="text-embedding-3-small")
        self.assertEqual(unknown.code, "model_not_found")

    def test_a_text_that_is_too_long_is_refused_unless_cutting_is_asked_for(self):
        self.refused(openai.BadRequestError, "/input/1 has 300 tokens, and all-MiniLM-L6-v2 takes 256", input=["a", LONG])
        self.assertEqual(self.create(input=LONG, extra_body={"truncate": True}).usage.prompt_tokens, 256)

    def test_dimensions_are_refused_by_a_model_that_was_not_trained_for_them(self):
        self.refused(openai.BadRequestError, "all-MiniLM-L6-v2 has vectors of 384 dimensions, not 64", dimensions=64)
        self.assertEqual(vectors(self.create(dimensions=384)).shape, (3, 384))

    def test_keys_that_may_not_are_refused_in_the_clients_own_exceptions(self):
        for key, kind, message in [
            ("ck_wrong", openai.AuthenticationError, "the key is not known"),
            (SERVICE.writer, openai.PermissionDeniedError, "this needs the scope read"),
        ]:
            with openai.OpenAI(base_url=f"{SERVICE.url}/v1", api_key=key, max_retries=0) as client:
                with self.assertRaises(kind) as raised:
                    client.embeddings.create(model=MODEL, input="a")
                self.assertIn(message, raised.exception.message)

    def test_models_are_listed_and_found(self):
        self.create()
        models = {model.id: model for model in self.client.models.list()}
        self.assertEqual((models[MODEL].object, models[MODEL].owned_by), ("model", "sentence-transformers"))
        self.assertTrue(models[MODEL].loaded)
        self.assertEqual(models[MODEL].dimension, 384)
        for name in [MODEL, f"sentence-transformers/{MODEL}"]:
            self.assertEqual(self.client.models.retrieve(name), models[MODEL])
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("text-embedding-3-small")

    def test_many_texts_come_back_in_their_order(self):
        texts = [f"review number {i}" for i in range(150)]
        many = vectors(self.create(input=texts))
        for i in [0, 77, 149]:
            np.testing.assert_allclose(many[i], vectors(self.create(input=texts[i]))[0], atol=1e-5)


class HuggingFace(unittest.TestCase):
    def setUp(self):
        self.client = InferenceClient(f"{SERVICE.url}/embed", token=SERVICE.reader)
        client = openai.OpenAI(base_url=f"{SERVICE.url}/v1", api_key=SERVICE.reader, max_retries=0)
        self.addCleanup(client.close)
        self.expected = vectors(client.embeddings.create(model=MODEL, input=TEXTS))

    def refused(self, text, message, status, **ask):
        with self.assertRaises(HfHubHTTPError) as raised:
            self.client.feature_extraction(text, **ask)
        self.assertIn(message, str(raised.exception))
        self.assertEqual(raised.exception.response.status_code, status)

    def test_vectors_are_those_of_the_other_route(self):
        found = self.client.feature_extraction(TEXTS)
        np.testing.assert_allclose(found, self.expected, atol=1e-5)
        alone = self.client.feature_extraction(TEXTS[1])
        self.assertEqual(alone.shape, (1, 384))
        np.testing.assert_allclose(alone[0], self.expected[1], atol=1e-5)

    def test_raw_vectors_have_the_direction_of_normalised_ones(self):
        raw = self.client.feature_extraction(TEXTS, normalize=False)
        lengths = np.linalg.norm(raw, axis=1, keepdims=True)
        self.assertTrue((np.abs(lengths - 1) > 0.01).all())
        np.testing.assert_allclose(raw / lengths, self.client.feature_extraction(TEXTS, normalize=True), atol=1e-5)

    def test_long_texts_are_cut_at_the_end_asked_for_or_refused(self):
        text = "boots " * 300 + "coffee " * 300
        right = self.client.feature_extraction(text, truncate=True)
        left = self.client.feature_extraction(text, truncate=True, truncation_direction="left")
        boots, coffee = (self.client.feature_extraction(word * 254)[0] for word in ["boots ", "coffee "])
        np.testing.assert_allclose(right[0], boots, atol=1e-5)
        np.testing.assert_allclose(left[0], coffee, atol=1e-5)
        np.testing.assert_array_equal(self.client.feature_extraction(text), right)
        self.refused(text, "/inputs has 600 tokens", 413, truncate=False)

    def test_a_prompt_goes_before_the_text(self):
        found = self.client.feature_extraction(TEXTS[0], prompt_name="query")
        np.testing.assert_allclose(found, self.client.feature_extraction("query: " + TEXTS[0]), atol=1e-5)
        plain = self.client.feature_extraction(TEXTS[0], prompt_name="plain")
        np.testing.assert_allclose(plain[0], self.expected[0], atol=1e-5)
        self.refused("a", 'no prompt "passage"; it has plain, query', 422, prompt_name="passage")

    def test_what_is_wrong_is_told_in_the_clients_own_exception(self):
        self.refused(["a", ""], "/inputs/1 is an empty text", 422)
        self.refused("a", "384 dimensions, not 64", 422, dimensions=64)
        stranger = InferenceClient(f"{SERVICE.url}/embed", token="ck_wrong")
        with self.assertRaises(HfHubHTTPError) as raised:
            stranger.feature_extraction("a")
        self.assertIn("the key is not known", str(raised.exception))

    def test_token_vectors_and_the_models_description(self):
        client = InferenceClient(f"{SERVICE.url}/embed_all", token=SERVICE.reader)
        tokens = client.feature_extraction(TEXTS[0])
        n_tokens = len(SERVICE.post("/tokenize", {"inputs": TEXTS[0]})[0])
        self.assertEqual(tokens.shape, (1, n_tokens, 384))
        mean = tokens[0].mean(axis=0)
        np.testing.assert_allclose(mean / np.linalg.norm(mean), self.expected[0], atol=1e-4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
