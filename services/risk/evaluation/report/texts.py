"""The words of the page that are the same in every report."""

from typing import Final

from services.risk.evaluation.report.contents import Severity, Text

WORDS: Final = {
    "findings": Text("数据中发现的问题", "What was found in the table"),
    "findings_none": Text("没有发现问题。", "Nothing was found wrong."),
    "models": Text("模型", "Models"),
    "model": Text("模型", "Model"),
    "models_lead": Text(
        "方括号内为 95% 置信区间。AUC、KS、AP 越高越好,Brier 越低越好;斜率为 1、误差为 0 表示校准完美。",
        "Brackets hold the interval of 95%. AUC, KS and AP are better higher, Brier lower; a slope "
        "of 1 and an error of 0 are a perfect calibration.",
    ),
    "champion": Text("冠军", "champion"),
    "slope": Text("校准斜率", "Slope"),
    "error": Text("校准误差", "Error"),
    "fit": Text("训练用时", "Fit"),
    "latency": Text("单笔评分", "One score"),
    "not_measured": Text("未能评估", "Not measured"),
    "none_measured": Text("没有一个模型可以评估。", "No model could be measured."),
    "curves": Text("曲线", "Curves"),
    "scores": Text("评分分布", "Distributions of scores"),
    "good": Text("好样本", "Good"),
    "bad": Text("坏样本", "Bad"),
    "against": Text("与冠军模型比较", "Against the champion"),
    "against_lead": Text(
        "差值为挑战者减冠军,同一批样本配对计算。通过率相同时,坏样本率更低、收益更高者更好。",
        "Differences are challenger less champion, paired over the same rows. Where both approve "
        "as many, the lower bad rate and the higher profit are better.",
    ),
    "share": Text("比较时的通过率", "Approval at which they are compared"),
    "bad_rate": Text("坏样本率", "Bad rate"),
    "profit": Text("收益差", "Profit"),
    "swapped_in": Text("换入(原拒绝)", "Swapped in"),
    "swapped_out": Text("换出(原通过)", "Swapped out"),
    "of_them_bad": Text("其中坏样本", "bad"),
    "approve": Text("通过", "Approve"),
    "decline": Text("拒绝", "Decline"),
    "swap_matrix": Text("换入换出矩阵", "Swap matrix"),
    "fairness": Text("分组公平性", "Fairness by group"),
    "fairness_lead": Text(
        "在同一通过率下。通过率之比低于 0.8(五分之四规则)即可能构成不利影响;机会差为本组好样本比参照组少通过的比例。",
        "At the same approval. A ratio below 0.8 (the four-fifths rule) may be an adverse impact; "
        "the gap is how much less of the group's good rows is approved.",
    ),
    "group": Text("分组", "Group"),
    "rows": Text("样本数", "Rows"),
    "approval": Text("通过率", "Approved"),
    "ratio": Text("通过率之比", "Ratio"),
    "good_approved": Text("好样本通过率", "Good approved"),
    "gap": Text("机会差", "Opportunity gap"),
    "promised": Text("预测均值", "Promised"),
    "reference": Text("参照", "reference"),
    "columns": Text("列", "Columns"),
    "column": Text("列", "Column"),
    "kind": Text("类型", "Type"),
    "missing": Text("缺失", "Missing"),
    "distinct": Text("不同取值", "Distinct"),
    "alone": Text("单列 AUC", "AUC alone"),
    "treatment": Text("处理", "Treatment"),
    "table": Text("整张表", "the table"),
    "notes": Text("说明", "Notes"),
}

SEVERITIES: Final = {
    Severity.LEFT_OUT: Text("已剔除", "left out"),
    Severity.CHANGED: Text("已处理", "changed"),
    Severity.NOTED: Text("提示", "noted"),
}
