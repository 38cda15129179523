"""A sample collection: photographs that scikit-image carries inside its package, free to be used and shown.

None is in this repository. Sources and terms are those that the docstrings of ``skimage.data`` give.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from core.errors import BackendUnavailable
from core.results import Place, PlaceText

SAMPLE_COLLECTION = "sample"

_LICENCE = {"en": ("Photographer", "Terms", "From"), "zh": ("摄影", "许可", "来源")}
_FROM = "scikit-image, skimage.data"


@dataclass(frozen=True, slots=True)
class SamplePhoto:
    """One photograph, which is a place of its own in the sample.

    Attributes:
        file: its name in scikit-image.
        name: of the place, by language.
        description: by language.
        photographer: or whoever published it.
        terms: under which it may be used.
        seed: of a photo taken again that is a fair question.
    """

    file: str
    name: Mapping[str, str]
    description: Mapping[str, str]
    photographer: str
    terms: str
    seed: int = 0

    @property
    def place_id(self) -> str:
        """Tells the sample's places from an operator's own."""
        return f"sample-{self.file.partition('.')[0]}"

    def place(self, language: str) -> Place:
        """The place in the words of a language, and its texts in the others."""
        credit = dict(zip(_LICENCE[language], (self.photographer, self.terms, _FROM), strict=True))
        texts = {tag: PlaceText(name, self.description[tag]) for tag, name in self.name.items() if tag != language}
        return Place(self.place_id, self.name[language], self.description[language], credit, texts=texts)

    def read(self) -> bytes:
        """The photograph.

        Raises:
            BackendUnavailable: scikit-image is not installed.
        """
        return (_folder() / self.file).read_bytes()


def is_installed() -> bool:
    """Whether there are photographs to make a sample of."""
    return find_spec("skimage") is not None


def _folder() -> Path:
    # Found, not imported: importing it takes a second, and its files are all that is wanted.
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise BackendUnavailable(
            "the sample's photographs are not installed; they come with: pip install 'scikit-image>=0.25'"
        )
    return Path(package.origin).parent / "data"


SAMPLE_PHOTOS = (
    SamplePhoto(
        "coffee.png",
        {"en": "Cup of coffee", "zh": "一杯咖啡"},
        {
            "en": "An espresso on a wooden counter, with a spoon. Part of the sample collection.",
            "zh": "木台面上的一杯浓缩咖啡，旁边有一把勺子。示例图库的一部分。",
        },
        "Rachel Michetti, Pikolo Espresso Bar",
        "CC0",
    ),
    SamplePhoto(
        "chelsea.png",
        {"en": "Chelsea the cat", "zh": "猫咪切尔西"},
        {
            "en": "A tabby cat, from close by. Part of the sample collection.",
            "zh": "一只虎斑猫的近照。示例图库的一部分。",
        },
        "Stéfan van der Walt",
        "CC0",
    ),
    SamplePhoto(
        "rocket.jpg",
        {"en": "Falcon 9 on its launch pad", "zh": "发射台上的猎鹰九号"},
        {
            "en": "The rocket that carried the DSCOVR satellite, Cape Canaveral, 2015. Part of the sample collection.",
            "zh": "2015 年在卡纳维拉尔角搭载 DSCOVR 卫星的火箭。示例图库的一部分。",
        },
        "SpaceX",
        "public domain",
    ),
    SamplePhoto(
        "camera.png",
        {"en": "Man with a camera", "zh": "持相机的人"},
        {
            "en": "A photographer behind a tripod, in black and white. Part of the sample collection.",
            "zh": "三脚架后的摄影师，黑白照片。示例图库的一部分。",
        },
        "Lav Varshney",
        "CC0",
    ),
    SamplePhoto(
        "coins.png",
        {"en": "Greek coins from Pompeii", "zh": "庞贝出土的希腊钱币"},
        {
            "en": "Coins of the Brooklyn Museum, in rows on grey. Part of the sample collection.",
            "zh": "布鲁克林博物馆收藏的钱币，成行排列。示例图库的一部分。",
        },
        "Brooklyn Museum",
        "no known copyright restrictions",
    ),
    SamplePhoto(
        "hubble_deep_field.jpg",
        {"en": "Hubble eXtreme Deep Field", "zh": "哈勃极深空"},
        {
            "en": "Thousands of galaxies in a tiny piece of the sky. Part of the sample collection.",
            "zh": "一小片天空中的数千个星系。示例图库的一部分。",
        },
        "NASA, HubbleSite",
        "public domain",
    ),
    SamplePhoto(
        "brick.png",
        {"en": "Brick wall", "zh": "砖墙"},
        {
            "en": "A wall of bricks, in black and white. Part of the sample collection.",
            "zh": "黑白的砖墙。示例图库的一部分。",
        },
        "CC0Textures",
        "CC0",
    ),
    SamplePhoto(
        "gravel.png",
        {"en": "Gravel path", "zh": "碎石路"},
        {"en": "Small stones, from above. Part of the sample collection.", "zh": "俯拍的碎石。示例图库的一部分。"},
        "CC0Textures",
        "CC0",
    ),
)

STRANGER = SamplePhoto(
    "retina.jpg",
    {"en": "Something that is not in the sample", "zh": "示例图库中没有的事物"},
    {"en": "The back of an eye.", "zh": "眼底照片。"},
    "Mikael Häggström",
    "CC0",
)
"""Not put into the collection: a question with the honest answer that it is not there."""
