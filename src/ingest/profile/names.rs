//! What columns are called in exports, in English and Chinese, and which role of an import each name speaks for.

/// What a column may be in an import, as [`super::super::Mapping`] names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Customer,
    Text,
    Id,
    Item,
    Rating,
    Time,
    Event,
    Total,
    Currency,
    Discount,
    Quantity,
    Price,
    Category,
    Lines,
    Name,
    Description,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Text => "text",
            Self::Id => "id",
            Self::Item => "item",
            Self::Rating => "rating",
            Self::Time => "time",
            Self::Event => "event",
            Self::Total => "total",
            Self::Currency => "currency",
            Self::Discount => "discount",
            Self::Quantity => "quantity",
            Self::Price => "price",
            Self::Category => "category",
            Self::Lines => "lines",
            Self::Name => "name",
            Self::Description => "description",
        }
    }
}

const CUSTOMER: &str = "user id, uid, user, customer id, customer, client id, client, member id, member, buyer id, buyer, account id, \
    account, student id, student, learner id, learner, reviewer id, reviewer, author id, author, visitor id, anonymous id, shopper id, \
    user name, 用户id, 用户编号, 用户, 客户id, 客户编号, 客户号, 客户, 会员id, 会员编号, 会员号, 会员, 买家id, 买家, 顾客id, 顾客, 学员id, 学员编号, \
    学员, 学生, 账号";
const TEXT: &str = "review text, review body, review content, review, text, body, comment text, comment, content, feedback, message, \
    评论内容, 评价内容, 评论, 评价, 点评, 内容, 反馈, 留言";
const REVIEW_ID: &str = "review id, comment id, id, 评论id, 评论编号, 评价id, 评价编号, 编号";
const ORDER_ID: &str = "order id, order no, order number, order, invoice no, invoice id, invoice, transaction id, id, 订单号, 订单编号, 订单id, \
    交易号, 流水号";
const EVENT_ID: &str = "message id, event id, id, 事件id, 消息id";
const ITEM_ID: &str =
    "item id, sku, product id, asin, goods id, course id, id, 商品id, 商品编号, 货号, 课程id, 课程编号";
const ITEM: &str = "item id, sku, product id, asin, goods id, course id, stock code, item, product, course, goods, 商品id, 商品编号, 货号, 课程id, \
    课程编号, 商品, 产品, 课程";
const RATING: &str = "rating, stars, star rating, rating mean, mean rating, average rating, avg rating, star, score, overall rating, overall, 评分, 星级, 打分, 分数, 评级";
const TIME: &str = "time, timestamp, date, datetime, created at, created, order date, purchase date, order time, review time, review date, \
    event time, ordered at, paid at, updated at, written at, ts, 时间, 日期, 下单时间, 下单日期, 创建时间, 评论时间, 评价时间, 支付时间, 付款时间, 购买日期, \
    注册时间, 发生时间";
const EVENT: &str = "event, event name, event type, action, behavior type, behavior, behaviour, activity, 事件, 事件名称, 行为, 行为类型, 动作";
const TOTAL: &str = "total, order total, total amount, grand total, order amount, amount, amount paid, paid amount, revenue, dollar value, \
    order value, sales, payment, spend, total price, 金额, 订单金额, 总金额, 实付金额, 支付金额, 付款金额, 消费金额, 总价, 实付";
const CURRENCY: &str = "currency, currency code, 币种, 货币";
const DISCOUNT: &str = "discount, discount amount, coupon amount, 优惠金额, 折扣金额, 优惠";
const QUANTITY: &str = "quantity, qty, units, count, n, number of items, 数量, 件数, 购买数量";
const PRICE: &str = "price, unit price, item price, each, 单价, 价格, 售价";
const CATEGORY: &str =
    "category, sub category, item category, product category, department, genre, 类目, 分类, 类别, 品类, 商品分类";
const LINES: &str = "lines, order lines, line items, items, products, 明细, 订单明细, 商品明细";
const NAME: &str =
    "name, title, item name, product name, product title, course name, 名称, 商品名称, 商品名, 课程名称, 标题, 品名";
const DESCRIPTION: &str = "description, features, feature, details, summary, 描述, 商品描述, 简介, 详情, 说明";
/// Columns whose values are about a person whatever they look like.
const PERSONAL: &str = "name, first name, last name, full name, customer name, user name, nick name, phone, mobile, telephone, tel, email, \
    e mail, mail, address, street, postcode, zip, birthday, birth date, passport, id card, 姓名, 昵称, 用户名, 手机, 手机号, 电话, 邮箱, 地址, 收货地址, \
    收货人, 身份证, 身份证号, 生日";
const ID: &str = "id, no, number, code, key, uuid, guid, 编号, 号, 代码";

/// The names of a role in a kind of files.
fn names(role: Role, kind: super::super::Kind) -> &'static str {
    use super::super::Kind;
    match (role, kind) {
        (Role::Customer, _) => CUSTOMER,
        (Role::Text, _) => TEXT,
        (Role::Id, Kind::Reviews) => REVIEW_ID,
        (Role::Id, Kind::Orders) => ORDER_ID,
        (Role::Id, Kind::Items) => ITEM_ID,
        (Role::Id, _) => EVENT_ID,
        (Role::Item, _) => ITEM,
        (Role::Rating, _) => RATING,
        (Role::Time, _) => TIME,
        (Role::Event, _) => EVENT,
        (Role::Total, _) => TOTAL,
        (Role::Currency, _) => CURRENCY,
        (Role::Discount, _) => DISCOUNT,
        (Role::Quantity, _) => QUANTITY,
        (Role::Price, _) => PRICE,
        (Role::Category, _) => CATEGORY,
        (Role::Lines, _) => LINES,
        (Role::Name, _) => NAME,
        (Role::Description, _) => DESCRIPTION,
    }
}

/// How much a column's name speaks for a role: 0 to 1.
pub(super) fn speaks_for(column: &str, role: Role, kind: super::super::Kind) -> f64 {
    likeness(column, names(role, kind))
}

/// Whether the values are about a person by the column's name.
pub(super) fn is_personal(column: &str) -> bool {
    likeness(column, PERSONAL) >= 0.9
}

/// Whether the name says that the values are codes.
pub(super) fn is_id(column: &str) -> bool {
    likeness(column, ID) >= 0.6 && likeness(column, QUANTITY) < 0.6
}

/// The currency that a name speaks of.
pub(super) fn currency(column: &str) -> Option<&'static str> {
    let words = words(column);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if has(&["usd", "dollar", "dollars"]) {
        Some("USD")
    } else if has(&["eur", "euro", "euros"]) {
        Some("EUR")
    } else if has(&["gbp", "pound", "pounds"]) {
        Some("GBP")
    } else if has(&["cny", "rmb", "yuan"]) || column.contains('元') || column.contains("人民币") {
        Some("CNY")
    } else {
        None
    }
}

/// 1 for one of the names, whatever the case and the separators; a little less the later it stands in the list; 0.7 where the name
/// ends in one or, in Chinese, holds one; else 0.
fn likeness(column: &str, list: &str) -> f64 {
    // A nested field is what its last name says.
    let words = words(column);
    let joined = words.concat();
    if joined.is_empty() {
        return 0.0;
    }
    let mut best: f64 = 0.0;
    for (place, name) in list.split(',').map(str::trim).enumerate() {
        let rank = 0.002 * place as f64;
        let parts: Vec<&str> = name.split(' ').collect();
        let is_chinese = !name.is_ascii();
        let ends_so =
            words.len() > parts.len() && words[words.len() - parts.len()..].iter().zip(&parts).all(|(a, b)| a == b);
        if joined == name.replace(' ', "") {
            best = best.max(1.0 - rank);
        } else if ends_so || is_chinese && joined.contains(name) {
            best = best.max(0.7 - rank);
        }
    }
    best
}

/// `orderDate`, `order_date` and `Order Date` are `order` and `date`.
fn words(column: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut was_lower = false;
    for c in column.chars().take(128) {
        let starts = !c.is_alphanumeric() || c.is_uppercase() && was_lower;
        if starts && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::super::super::Kind;
    use super::*;

    #[test]
    fn names_speak_for_roles_in_any_spelling_and_in_two_languages() {
        for (column, role, kind, least) in [
            ("user_id", Role::Customer, Kind::Reviews, 0.9),
            ("CustomerID", Role::Customer, Kind::Orders, 0.9),
            ("userId", Role::Customer, Kind::Events, 0.9),
            ("用户ID", Role::Customer, Kind::Orders, 0.9),
            ("下单用户ID", Role::Customer, Kind::Orders, 0.6),
            ("订单号", Role::Id, Kind::Orders, 0.9),
            ("评论内容", Role::Text, Kind::Reviews, 0.9),
            ("评分", Role::Rating, Kind::Reviews, 0.9),
            ("实付金额（元）", Role::Total, Kind::Orders, 0.6),
            ("下单时间", Role::Time, Kind::Orders, 0.9),
            ("Order Date", Role::Time, Kind::Orders, 0.9),
            ("dollar_value", Role::Total, Kind::Orders, 0.9),
            ("Sub Category", Role::Category, Kind::Items, 0.9),
            ("properties.price", Role::Price, Kind::Orders, 0.6),
        ] {
            assert!(
                speaks_for(column, role, kind) >= least,
                "{column} for {role:?}: {}",
                speaks_for(column, role, kind)
            );
        }
        for (column, role) in
            [("churn", Role::Customer), ("number_of_cds", Role::Total), ("", Role::Text), ("candidate", Role::Time)]
        {
            assert!(speaks_for(column, role, Kind::Orders) < 0.1, "{column} for {role:?}");
        }
        assert!(is_personal("Phone") && is_personal("收货人") && !is_personal("price") && is_id("session_id"));
        assert_eq!(
            (currency("dollar_value"), currency("金额（元）"), currency("price")),
            (Some("USD"), Some("CNY"), None)
        );
    }
}
