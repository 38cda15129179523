import pytest
import torch

from core.encoders.pooling import POOLINGS, Pooling, generalized_mean, pool

PREFIX = 5  # the class token and four registers


@pytest.fixture
def tokens() -> torch.Tensor:
    """Tokens of three photos: [3, 5 + 12, 8]."""
    return torch.randn(3, PREFIX + 12, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_rows_are_unit_vectors(tokens: torch.Tensor, pooling: Pooling):
    """Every pooling gives float32 rows of length 1, also from bfloat16 tokens."""
    vectors = pool(tokens.bfloat16(), PREFIX, pooling)
    assert vectors.dtype == torch.float32
    assert vectors.shape == (3, 16 if pooling == "cls+gem" else 8)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_cls_reads_the_class_token_alone(tokens: torch.Tensor):
    """`cls` is the class token's direction, whatever the patches hold."""
    before = pool(tokens, PREFIX, "cls")
    tokens[:, 1:] = 7.0
    torch.testing.assert_close(pool(tokens, PREFIX, "cls"), before)
    torch.testing.assert_close(before, torch.nn.functional.normalize(tokens[:, 0], dim=-1))


def test_gem_reads_the_patches_alone(tokens: torch.Tensor):
    """`gem` ignores the class token and the registers."""
    before = pool(tokens, PREFIX, "gem")
    tokens[:, :PREFIX] = 7.0
    torch.testing.assert_close(pool(tokens, PREFIX, "gem"), before)


def test_both_halves_of_cls_gem_weigh_the_same(tokens: torch.Tensor):
    """The cosine of two joined vectors is the mean of the two cosines."""
    joined, cls, gem = (pool(tokens, PREFIX, pooling) for pooling in ("cls+gem", "cls", "gem"))
    torch.testing.assert_close(joined @ joined.T, (cls @ cls.T + gem @ gem.T) / 2)


def test_generalized_mean_keeps_the_sign():
    """Cubes are averaged and the root keeps their sign, so that negative activations count."""
    patches = torch.tensor([[[1.0, -1.0, 2.0], [3.0, -3.0, -2.0]]])
    expected = torch.tensor([[14 ** (1 / 3), -(14 ** (1 / 3)), 0.0]])
    torch.testing.assert_close(generalized_mean(patches), expected)


def test_a_photo_without_any_signal_has_a_finite_vector():
    """All-zero tokens give zeros, not NaN."""
    assert torch.isfinite(pool(torch.zeros(1, PREFIX + 4, 8), PREFIX, "cls+gem")).all()
