"""What the inputs of these models mean, in English and Chinese, for whoever reads a manifest."""

from collections.abc import Mapping

MEANINGS: Mapping[str, tuple[str, str]] = {
    "bureau.overdue_90d": (
        "Accounts overdue by more than 90 days, by the credit bureau",
        "征信机构:逾期90天以上的账户数",
    ),
    "bureau.queries_3m": (
        "Times that the credit bureau was asked in three months",
        "征信机构:近三个月被查询次数",
    ),
    "court.open_enforcements": ("Open cases of enforcement", "法院:未结执行案件数"),
    "customer_count_30d": (
        "Applications of the customer in 30 days, this one included",
        "该客户30天内的申请数(含本次)",
    ),
    "debt_to_income": (
        "Monthly repayments over monthly income; the larger debt, the verified income",
        "每月还款额与月收入之比(取较高负债与已核实收入)",
    ),
    "device_count_24h": (
        "Applications from the device in a day; missing without a device",
        "该设备24小时内的申请数;无设备时缺失",
    ),
    "device_customers_30d": (
        "Different applicants on the device in 30 days; missing without a device",
        "该设备30天内的不同申请人数;无设备时缺失",
    ),
    "employed_months": ("Months in the present employment", "在现单位工作的月数"),
    "face_match": ("How well face and document agree, 0 to 1", "人脸与证件的相符程度,0到1"),
    "income_to_stated": (
        "Verified income over stated income; below 1 where more is stated",
        "已核实收入与申报收入之比;低于1表示申报偏高",
    ),
    "requested_to_income": (
        "Amount asked for over monthly income",
        "申请金额与月收入之比",
    ),
    "ring_size": ("Customers in the applicant's ring", "申请人关联网络中的客户数"),
    "spending_to_income": (
        "Spending in a usual month over monthly income",
        "月均消费与月收入之比",
    ),
    "tax.monthly_income_minor": ("Verified income a month, in fen", "税务:已核实的月收入(分)"),
    "telecom.months_on_network": ("Months on the network", "通信运营商:入网月数"),
    "telecom.name_matches": (
        "1 if the number is registered to this person",
        "号码实名与本人一致为1",
    ),
    "term_months": ("Term asked for, in months", "申请期限(月)"),
}
