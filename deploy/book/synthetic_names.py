"""Chinese names for the people, shops and employers of the synthetic city."""

from typing import Protocol

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡"
FIRST = "志秀嘉俊晓建文玉子雨海明春思国雅婉欣天永家诗泽梓浩宇佳美丽德"
SECOND = "伟芳娜敏静强磊军洋勇艳杰娟涛超霞平刚英华兰慧宁轩涵怡博琳鹏瑶"
DISTRICTS = ("城东区", "城西区", "江北区", "江南区", "高新区", "古城区")
SHOP_WORDS = ("好邻居", "老城", "江畔", "春风", "百味", "云来", "福满", "新世纪", "四季", "阳光")
SHOP_KINDS = (
    "超市",
    "面馆",
    "药房",
    "书店",
    "水果店",
    "咖啡馆",
    "加油站",
    "百货",
    "小吃店",
    "服装店",
)
EMPLOYERS = ("江城机械", "市第一医院", "云图软件", "东港物流", "市实验中学", "恒丰纺织", "绿洲餐饮")
OTHER_BANKS = ("ICBC", "ABCI", "BKCH", "PCBC", "COMM", "CMBC")


class Chance(Protocol):
    """What the names are drawn with."""

    def below(self, count: int) -> int:
        """0 to `count` - 1."""


def person(dice: Chance) -> str:
    """A full name, family name first, of two or three characters."""
    surname = SURNAMES[dice.below(len(SURNAMES))]
    first = FIRST[dice.below(len(FIRST))] if dice.below(3) else ""
    return surname + first + SECOND[dice.below(len(SECOND))]


def shop(dice: Chance, number: int) -> str:
    """A shop's name; the number keeps two shops apart."""
    word = SHOP_WORDS[dice.below(len(SHOP_WORDS))]
    return f"{word}{SHOP_KINDS[dice.below(len(SHOP_KINDS))]}（{number}号店）"
