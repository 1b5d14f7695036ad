"""What a model id says: its normalised form, and whose family it is. The ids are those that vendors publish."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoagent_hook import models

unhurried = settings(max_examples=100, deadline=None, database=None)

PUBLISHED = [
    ("claude-opus-4-8", "claude-opus-4-8", "anthropic"),
    ("claude-opus-4-1-20250805", "claude-opus-4-1", "anthropic"),
    ("claude-haiku-4-5", "claude-haiku-4-5", "anthropic"),
    ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet", "anthropic"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet", "anthropic"),
    ("claude-3-opus@20240229", "claude-3-opus", "anthropic"),
    ("claude-opus-4@default", "claude-opus-4", "anthropic"),
    ("claude-fable-5", "claude-fable-5", "anthropic"),
    ("opus", "opus", "anthropic"),
    ("sonnet", "sonnet", "anthropic"),
    ("haiku", "haiku", "anthropic"),
    ("anthropic/claude-opus-4.8", "claude-opus-4-8", "anthropic"),
    ("openrouter/anthropic/claude-3.5-sonnet:beta", "claude-3-5-sonnet", "anthropic"),
    ("anthropic/claude-3.7-sonnet:thinking", "claude-3-7-sonnet", "anthropic"),
    ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku", "anthropic"),
    ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet", "anthropic"),
    ("eu.anthropic.claude-opus-4-5-20251101-v1:0", "claude-opus-4-5", "anthropic"),
    ("apac.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4", "anthropic"),
    ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5", "anthropic"),
    ("jp.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5", "anthropic"),
    ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku", "anthropic"),
    ("bedrock/us-east-1/anthropic.claude-instant-v1", "claude-instant-v1", "anthropic"),
    (
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
        "claude-sonnet-4",
        "anthropic",
    ),
    ("vertex_ai/claude-opus-4@20250514", "claude-opus-4", "anthropic"),
    ("anthropic--claude-4-sonnet", "anthropic--claude-4-sonnet", "anthropic"),
    ("databricks-claude-3-7-sonnet", "databricks-claude-3-7-sonnet", "anthropic"),
    ("copilot/claude-sonnet-4.5", "claude-sonnet-4-5", "anthropic"),
    ("gpt-5.5", "gpt-5-5", "openai"),
    ("gpt-5.5-2026-04-01", "gpt-5-5", "openai"),
    ("GPT-4o", "gpt-4o", "openai"),
    ("gpt-4o-2024-08-06", "gpt-4o", "openai"),
    ("gpt-4o-mini-2024-07-18", "gpt-4o-mini", "openai"),
    ("gpt-4.1-nano-2025-04-14", "gpt-4-1-nano", "openai"),
    ("gpt-4.5-preview-2025-02-27", "gpt-4-5", "openai"),
    ("gpt-4o-audio-preview-2024-12-17", "gpt-4o-audio", "openai"),
    ("gpt-5-pro-2025-10-06", "gpt-5-pro", "openai"),
    ("gpt-5.1-codex-max", "gpt-5-1-codex-max", "openai"),
    ("gpt-5.3-codex-spark", "gpt-5-3-codex-spark", "openai"),
    ("gpt-4-turbo-preview", "gpt-4-turbo", "openai"),
    ("gpt-35-turbo", "gpt-35-turbo", "openai"),
    ("gpt-3.5-turbo-16k", "gpt-3-5-turbo-16k", "openai"),
    ("chatgpt-4o-latest", "chatgpt-4o", "openai"),
    ("gpt-5-chat-latest", "gpt-5-chat", "openai"),
    ("o1", "o1", "openai"),
    ("o1-mini-2024-09-12", "o1-mini", "openai"),
    ("o3-pro-2025-06-10", "o3-pro", "openai"),
    ("o4-mini-deep-research", "o4-mini-deep-research", "openai"),
    ("codex-mini-latest", "codex-mini", "openai"),
    ("openai/gpt-oss-120b", "gpt-oss-120b", "openai"),
    ("gpt-oss:20b", "gpt-oss", "openai"),
    ("azure/gpt-4o", "gpt-4o", "openai"),
    ("github-copilot/gpt-5-mini", "gpt-5-mini", "openai"),
    ("text-davinci-003", "text-davinci-003", "openai"),
    ("babbage-002", "babbage-002", "openai"),
    ("gemini-2.5-pro", "gemini-2-5-pro", "google"),
    ("models/gemini-2.5-flash", "gemini-2-5-flash", "google"),
    ("google/gemini-3-pro-preview", "gemini-3-pro", "google"),
    ("gemini-1.5-pro-latest", "gemini-1-5-pro", "google"),
    ("gemini-1.5-flash-002", "gemini-1-5-flash-002", "google"),
    ("gemini-flash-latest", "gemini-flash", "google"),
    ("google/gemma-3-27b-it", "gemma-3-27b-it", "google"),
    ("google.gemma-3-27b-it", "gemma-3-27b-it", "google"),
    ("gemma3n:e4b", "gemma3n", "google"),
    ("learnlm-2.0-flash-experimental", "learnlm-2-0-flash", "google"),
    ("deepseek-chat", "deepseek-chat", "deepseek"),
    ("deepseek-reasoner", "deepseek-reasoner", "deepseek"),
    ("deepseek-coder-v2:16b", "deepseek-coder-v2", "deepseek"),
    ("deepseek-ai/DeepSeek-V3.1", "deepseek-v3-1", "deepseek"),
    ("deepseek-v3.2-exp", "deepseek-v3-2", "deepseek"),
    ("accounts/fireworks/models/deepseek-v3p1", "deepseek-v3p1", "deepseek"),
    ("qwencloud/deepseek-v4-pro", "deepseek-v4-pro", "deepseek"),
    ("@hf/thebloke/deepseek-coder-6.7b-instruct-awq", "deepseek-coder-6-7b-instruct-awq", "deepseek"),
    ("tngtech/deepseek-r1t2-chimera:free", "deepseek-r1t2-chimera", "deepseek"),
    ("qwen3-coder:30b", "qwen3-coder", "alibaba"),
    ("qwen2.5-coder:32b-instruct-q4_K_M", "qwen2-5-coder", "alibaba"),
    ("Qwen/Qwen3-235B-A22B", "qwen3-235b-a22b", "alibaba"),
    ("qwen-max-latest", "qwen-max", "alibaba"),
    ("qwen-turbo-2024-11-01", "qwen-turbo", "alibaba"),
    ("qwen3.5-plus-2026-02-15", "qwen3-5-plus", "alibaba"),
    ("qwq:32b", "qwq", "alibaba"),
    ("qvq-72b-preview", "qvq-72b", "alibaba"),
    ("qwen.qwen3-coder-480b-a35b-v1:0", "qwen3-coder-480b-a35b", "alibaba"),
    ("@cf/qwen/qwen2.5-coder-32b-instruct", "qwen2-5-coder-32b-instruct", "alibaba"),
    ("together_ai/Qwen/Qwen2-72B-Instruct", "qwen2-72b-instruct", "alibaba"),
    ("grok-4", "grok-4", "xai"),
    ("grok-code-fast-1", "grok-code-fast-1", "xai"),
    ("x-ai/grok-3-mini-beta", "grok-3-mini-beta", "xai"),
    ("grok-4.1-fast", "grok-4-1-fast", "xai"),
    ("mistral-large-latest", "mistral-large", "mistral"),
    ("mistral.mistral-7b-instruct-v0:2", "mistral-7b-instruct", "mistral"),
    ("mixtral-8x7b-32768", "mixtral-8x7b-32768", "mistral"),
    ("open-mixtral-8x22b", "open-mixtral-8x22b", "mistral"),
    ("open-mistral-nemo", "open-mistral-nemo", "mistral"),
    ("codestral-latest", "codestral", "mistral"),
    ("devstral:24b", "devstral", "mistral"),
    ("ministral-8b-latest", "ministral-8b", "mistral"),
    ("magistral-medium-latest", "magistral-medium", "mistral"),
    ("pixtral-large-latest", "pixtral-large", "mistral"),
    ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b-instruct-v0-3", "mistral"),
    ("llama3.3:70b", "llama3-3", "meta"),
    ("llama-3.3-70b-versatile", "llama-3-3-70b-versatile", "meta"),
    ("meta-llama/llama-4-maverick", "llama-4-maverick", "meta"),
    ("us.meta.llama3-3-70b-instruct-v1:0", "llama3-3-70b-instruct", "meta"),
    ("accounts/fireworks/models/llama-v3p1-405b-instruct", "llama-v3p1-405b-instruct", "meta"),
    ("codellama:34b", "codellama", "meta"),
    ("meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", "meta-llama-3-1-8b-instruct-turbo", "meta"),
    ("hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M", "llama-3-2-3b-instruct-gguf", "meta"),
    ("@cf/meta/llama-3.1-8b-instruct", "llama-3-1-8b-instruct", "meta"),
    ("muse-spark", "muse-spark", "meta"),
    ("moonshotai/Kimi-K2-Instruct", "kimi-k2-instruct", "moonshot"),
    ("kimi-latest", "kimi", "moonshot"),
    ("moonshotai/kimi-k2.5", "kimi-k2-5", "moonshot"),
    ("moonshot-v1-128k", "moonshot-v1-128k", "moonshot"),
    ("moonshot.kimi-k2-thinking", "kimi-k2", "moonshot"),
    ("z-ai/glm-4.5-air:free", "glm-4-5-air", "zhipu"),
    ("zai-org/GLM-4.6", "glm-4-6", "zhipu"),
    ("zai-glm-4.7", "zai-glm-4-7", "zhipu"),
    ("chatglm3-6b", "chatglm3-6b", "zhipu"),
    ("thudm/glm-z1-32b", "glm-z1-32b", "zhipu"),
    ("MiniMax-M2", "minimax-m2", "minimax"),
    ("minimax.minimax-m2", "minimax-m2", "minimax"),
    ("abab6.5s-chat", "abab6-5s-chat", "minimax"),
    ("command-r-plus", "command-r-plus", "cohere"),
    ("cohere.command-r-plus-v1:0", "command-r-plus", "cohere"),
    ("cohere/command-a", "command-a", "cohere"),
    ("c4ai-aya-expanse-32b", "c4ai-aya-expanse-32b", "cohere"),
    ("aya-expanse:32b", "aya-expanse", "cohere"),
    ("amazon.nova-pro-v1:0", "nova-pro", "amazon"),
    ("us.amazon.nova-premier-v1:0", "nova-premier", "amazon"),
    ("amazon/nova-lite-v1", "nova-lite-v1", "amazon"),
    ("amazon.titan-text-express-v1", "titan-text-express-v1", "amazon"),
    ("phi4:14b", "phi4", "microsoft"),
    ("Phi-3.5-MoE-instruct", "phi-3-5-moe-instruct", "microsoft"),
    ("microsoft/phi-4-reasoning-plus", "phi-4-reasoning-plus", "microsoft"),
    ("mai-1-preview", "mai-1", "microsoft"),
    ("nvidia/nemotron-nano-9b-v2", "nemotron-nano-9b-v2", "nvidia"),
    ("nvidia.nemotron-nano-12b-v2", "nemotron-nano-12b-v2", "nvidia"),
    ("granite3.3:8b", "granite3-3", "ibm"),
    ("ibm-granite/granite-4.0-h-small", "granite-4-0-h-small", "ibm"),
    ("doubao-1.5-pro-32k", "doubao-1-5-pro-32k", "bytedance"),
    ("ByteDance-Seed/Seed-OSS-36B-Instruct", "seed-oss-36b-instruct", "bytedance"),
    ("hunyuan-turbos-latest", "hunyuan-turbos", "tencent"),
    ("tencent/hunyuan-a13b-instruct", "hunyuan-a13b-instruct", "tencent"),
    ("baidu/ernie-4.5-300b-a47b", "ernie-4-5-300b-a47b", "baidu"),
    ("xiaomi/mimo-v2-flash", "mimo-v2-flash", "xiaomi"),
    ("composer-1", "composer-1", "cursor"),
    ("swe-1.5", "swe-1-5", "cognition"),
    ("ai21.jamba-1-5-large-v1:0", "jamba-1-5-large", "ai21"),
    ("jamba-1.5-large@001", "jamba-1-5-large", "ai21"),
    ("us.writer.palmyra-x4-v1:0", "palmyra-x4", "writer"),
    ("01-ai/Yi-1.5-34B-Chat", "yi-1-5-34b-chat", "01ai"),
    ("stepfun-ai/step3", "step3", "stepfun"),
    ("upstage/solar-pro", "solar-pro", "upstage"),
    ("allenai/olmo-2-32b-instruct", "olmo-2-32b-instruct", "allenai"),
    ("stablelm2:12b", "stablelm2", "stability"),
    ("tiiuae/falcon-180b-chat", "falcon-180b-chat", "tii"),
    ("snowflake-arctic-instruct", "snowflake-arctic-instruct", "snowflake"),
    ("databricks-dbrx-instruct", "databricks-dbrx-instruct", "databricks"),
    ("LFM2-8B-A1B", "lfm2-8b-a1b", "liquid"),
    ("perplexity/sonar-pro", "sonar-pro", "perplexity"),
    ("inception/mercury-coder", "mercury-coder", "inception"),
    ("deepseek-r1-distill-llama-70b", "deepseek-r1-distill-llama-70b", "deepseek meta"),
    ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "deepseek-r1-distill-qwen-7b", "alibaba deepseek"),
    ("hf.co/unsloth/DeepSeek-R1-Distill-Qwen-14B-GGUF", "deepseek-r1-distill-qwen-14b-gguf", "alibaba deepseek"),
    ("nvidia/llama-3.3-nemotron-super-49b-v1.5", "llama-3-3-nemotron-super-49b-v1-5", "meta nvidia"),
    ("allenai/llama-3.1-tulu-3-405b", "llama-3-1-tulu-3-405b", "allenai meta"),
    ("nousresearch/hermes-3-llama-3.1-405b", "hermes-3-llama-3-1-405b", "meta"),
    ("dolphin-mixtral:8x7b", "dolphin-mixtral", "mistral"),
    ("nous-hermes-2-mixtral-8x7b-dpo", "nous-hermes-2-mixtral-8x7b-dpo", "mistral"),
    ("gpt-4o-eu-prod", "gpt-4o-eu-prod", "openai"),
    ("eu-claude-prod", "eu-claude-prod", "anthropic"),
]

UNKNOWN = [
    # Names that say nothing, by themselves or behind a router.
    "auto",
    "openrouter/auto",
    "default",
    "model-router",
    "switchpoint/router",
    "chat-latest",
    "latest",
    "",
    "   ",
    "/",
    # Deployments, aliases and code names.
    "my-deployment",
    "prod-eu-1",
    "team-chat",
    "reviewer",
    "local-model",
    "big-pickle",
    "horizon-alpha",
    "raptor-mini",
    # Models of vendors that the table does not know, or that grew from several bases.
    "starcoder2:15b",
    "vicuna:13b",
    "zephyr:7b",
    "exaone3.5",
    "reka-flash-3",
    "internlm/internlm2_5-20b-chat",
    "longcat-flash-chat",
    "kat-coder-pro",
    "inclusionai/ring-1t",
    "nousresearch/hermes-4-70b",
    "gryphe/mythomax-l2-13b",
    "v0-1.5-md",
    # Words that begin like a family's name and are none.
    "stepping-stone",
    "phishing-detector",
    "claudette",
    "solaris",
    "falconer",
    "yield-model",
    "seedream",
    "grokking",
    "commander",
    "novascope",
    "titanium",
    "swell",
    "ayabe",
]


@pytest.mark.parametrize(("model", "normalised", "families"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_a_published_id_is_normalised_and_known(model: str, normalised: str, families: str) -> None:
    assert models.normalise(model) == normalised
    assert models.families(model) == frozenset(families.split())


def test_the_table_of_published_ids_is_large() -> None:
    assert len({row[0] for row in PUBLISHED}) >= 150
    assert len({family for row in PUBLISHED for family in row[2].split()}) >= 30


@pytest.mark.parametrize("model", UNKNOWN, ids=repr)
def test_what_says_nothing_stays_unknown(model: str) -> None:
    assert models.families(model) == frozenset()


@pytest.mark.parametrize(
    "model",
    [
        "command-center",
        "step-by-step-router",
        "prod-stable",
        "mercury-prod",
        "titan-gateway",
        "composer-service",
        "swe-team-prod",
        "nova-staging",
    ],
)
def test_a_deployment_named_by_a_common_word_stays_unknown(model: str) -> None:
    assert models.families(model) == frozenset()


@pytest.mark.parametrize("model", ["EleutherAI/gpt-neo-2.7B", "gpt-j-6b", "gpt-neox-20b", "cerebras-gpt-13b"])
def test_what_others_call_gpt_is_not_taken_for_openais(model: str) -> None:
    assert models.families(model) == frozenset()


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("codestral-22b.gguf", "mistral"),
        ("phi-4.gguf", "microsoft"),
        ("/srv/models/gpt-oss-20b-mxfp4.gguf", "openai"),
        ("Qwen2.5-Coder-32B-Instruct-Q4_K_M.gguf", "alibaba"),
    ],
)
def test_the_name_of_a_file_of_weights_is_read_like_an_id(model: str, family: str) -> None:
    assert models.families(model) == frozenset({family})


def test_two_files_of_weights_are_two_models() -> None:
    assert not models.same("codestral-22b.gguf", "phi-4.gguf")


@pytest.mark.parametrize("model", ["us.deepseek.r1-v1:0", "deepseek.r1-v1:0", "deepseek.v3-v1:0"])
def test_a_vendors_prefix_counts_where_the_rest_names_no_family(model: str) -> None:
    assert models.families(model) == frozenset({"deepseek"})


@pytest.mark.parametrize(
    "model", ["ft:gpt-4o-mini-2024-07-18:acme::abc123", "ft:gpt-4.1-2025-04-14:acme:reviewer:xyz"]
)
def test_a_fine_tuned_model_is_of_its_bases_family(model: str) -> None:
    assert models.families(model) == frozenset({"openai"})


SAME = [
    ("claude-opus-4-8", "anthropic/claude-opus-4.8"),
    ("claude-opus-4-8", "Claude-Opus-4-8"),
    ("claude-opus-4-8", " claude-opus-4-8 "),
    ("claude-sonnet-4-5-20250929", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("claude-sonnet-4-5", "vertex_ai/claude-sonnet-4-5@20250929"),
    ("claude-opus-4@default", "claude-opus-4-20250514"),
    ("gpt-5.5", "openrouter/openai/gpt-5.5"),
    ("gpt-5.5", "gpt-5.5-2026-04-01"),
    ("gpt-4o", "azure/gpt-4o-2024-11-20"),
    ("gemini-2.5-pro", "models/gemini-2.5-pro"),
    ("mistral-large-latest", "mistral/mistral-large"),
    ("deepseek/deepseek-r1:free", "deepseek-ai/DeepSeek-R1"),
    ("qwen3-coder:30b", "qwen3-coder:latest"),
    ("meta.llama3-1-405b-instruct-v1:0", "us.meta.llama3-1-405b-instruct-v1:0"),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=[" = ".join(pair) for pair in SAME])
def test_two_names_of_one_model_are_the_same(one: str, other: str) -> None:
    assert models.same(one, other)
    assert models.same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("claude-opus-4-8[1m]", "claude-opus-4-8", id="an agent's mark of a longer context"),
        pytest.param("Claude Opus 4.8", "claude-opus-4-8", id="the name as people write it"),
        pytest.param("claude_opus_4_8", "claude-opus-4-8", id="underscores for dashes"),
        pytest.param("openai.gpt-oss-120b-1:0", "gpt-oss-120b", id="a version without its letter"),
        pytest.param("us.deepseek.r1-v1:0", "deepseek-r1", id="the family in the vendor's prefix alone"),
        pytest.param("grok-4-0709", "grok-4", id="a date as month and day"),
        pytest.param("gpt-4-0613", "gpt-4", id="a date as month and day, of another vendor"),
        pytest.param("mistral-large-2411", "mistral-large-latest", id="a date as year and month"),
        pytest.param("command-a-03-2025", "command-a", id="a date as month and year"),
        pytest.param("doubao-seed-1-6-250615", "doubao-seed-1-6", id="a date of six digits"),
        pytest.param("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash-preview", id="a date with dashes, no year"),
    ],
)
def test_a_name_in_another_form_is_the_same_model(one: str, other: str) -> None:
    assert models.same(one, other)


DIFFERENT = [
    ("claude-opus-4-8", "claude-opus-4-7"),
    ("claude-opus-4-8", "claude-sonnet-4-8"),
    ("gpt-5", "gpt-5.5"),
    ("gpt-5", "gpt-5-mini"),
    ("gpt-5.5", "gpt-55"),
    ("o3", "o3-mini"),
    ("gemini-2.5-pro", "gemini-2.5-flash"),
    ("deepseek-r1", "deepseek-r1-distill-llama-70b"),
    ("llama-3.1-8b", "llama-3.1-70b"),
    ("qwen3-coder", "qwen2.5-coder"),
    ("gpt-5-codex", "gpt-5"),
    ("claude-3-5-sonnet", "claude-3-7-sonnet"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=[" ≠ ".join(pair) for pair in DIFFERENT])
def test_two_models_are_not_the_same(one: str, other: str) -> None:
    assert not models.same(one, other)


def test_a_host_that_is_named_like_a_family_says_nothing_of_the_model() -> None:
    assert models.families("claude-gateway/gpt-5.5") == frozenset({"openai"})
    assert models.families("qwen/house-model") == frozenset()


@unhurried
@given(st.text(max_size=40))
def test_any_text_can_be_normalised_and_again(text: str) -> None:
    once = models.normalise(text)
    assert isinstance(models.families(text), frozenset)
    assert models.same(text, text)
    assert once == once.lower()


@unhurried
@given(st.sampled_from([row[0] for row in PUBLISHED if "/" not in row[0]]), st.sampled_from(["a/", "x.y/z/", "@q/"]))
def test_a_path_before_the_name_changes_nothing(model: str, path: str) -> None:
    assert models.same(path + model, model)
    assert models.families(path + model) == models.families(model)
