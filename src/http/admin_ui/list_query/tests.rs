//! Tests of URLs and positions of lists.

use super::*;

static SPEC: ListSpec = ListSpec {
    path: "/list",
    filters: &["q", "status"],
    columns: &["name", "usage"],
    is_descending: false,
};

fn query(fields: &[(&str, &str)]) -> Result<ListQuery, ApiError> {
    let mut form = FormData::default();
    for (name, text) in fields {
        form.insert((*name).to_owned(), FieldValue::Text((*text).to_owned()));
    }
    ListQuery::parse(&SPEC, &form)
}

#[test]
fn view_stands_in_every_url() {
    let list = query(&[
        ("q", " a&b "),
        ("status", ""),
        ("sort", "-usage"),
        ("limit", "25"),
    ]);
    let list = list.unwrap();
    assert_eq!((list.filter("q"), list.filter("status")), ("a&b", ""));
    assert_eq!(list.first_url(), "/list?q=a%26b&sort=-usage&limit=25");
    assert_eq!(list.sort_url("usage"), "/list?q=a%26b&sort=usage&limit=25");
    assert_eq!(list.sort_url("name"), "/list?q=a%26b&limit=25");
    assert_eq!(list.aria_sort("usage"), "descending");
    assert_eq!(list.aria_sort("name"), "none");
    let (rows, pager) = list.paginate((0..60).collect());
    assert_eq!(rows, (0..25).collect::<Vec<_>>());
    assert_eq!(pager.range, "1-25 of 60");
    let next = "/list?q=a%26b&sort=-usage&limit=25&offset=25";
    assert_eq!(pager.next.as_deref(), Some(next));
    assert!(pager.first.is_none() && pager.previous.is_none());
    let sizes = pager
        .sizes
        .iter()
        .map(|(size, _, current)| (*size, *current));
    assert_eq!(
        sizes.collect::<Vec<_>>(),
        [(25, true), (50, false), (100, false)]
    );
    assert_eq!(pager.sizes[1].1, "/list?q=a%26b&sort=-usage");
}

#[test]
fn last_page_and_positions_after_the_end_have_links_back() {
    let list = query(&[("offset", "50")]).unwrap();
    let (rows, pager) = list.paginate((0..60).collect());
    assert_eq!(rows, (50..60).collect::<Vec<_>>());
    assert_eq!(pager.range, "51-60 of 60");
    assert_eq!(pager.previous.as_deref(), Some("/list"));
    assert_eq!(pager.first.as_deref(), Some("/list"));
    assert_eq!(pager.next, None);
    let (rows, pager) = query(&[("offset", "99")]).unwrap().paginate(vec![1]);
    assert_eq!((rows, pager.range.as_str()), (vec![1], "1-1 of 1"));
    let (_, pager) = query(&[]).unwrap().paginate(Vec::<u8>::new());
    assert_eq!(pager.range, "");
}

#[test]
fn cursor_lists_count_from_the_offset_and_continue_searches() {
    let list = query(&[("q", "x"), ("offset", "100"), ("after", "1-a")]).unwrap();
    let pager = list.cursor_pager(3, Some("2-b"), None, true);
    assert_eq!(pager.range, "101-103");
    let next = "/list?q=x&offset=103&after=2-b";
    assert_eq!(pager.next.as_deref(), Some(next));
    assert_eq!(pager.first.as_deref(), Some("/list?q=x"));
    assert!(pager.is_interrupted);
    assert!(!list.cursor_pager(3, None, None, true).is_interrupted);
    // The entries of a list by expiration time may just have expired.
    assert!(
        !list
            .cursor_pager(3, Some("2-b"), None, false)
            .is_interrupted
    );
    let full = list.cursor_pager(50, Some("2-b"), Some("about 1,000"), true);
    assert_eq!(full.range, "101-150 of about 1,000");
    assert!(!full.is_interrupted);
}

#[test]
fn invalid_parameters_are_rejected() {
    let long = "x".repeat(257);
    for (name, text) in [
        ("sort", "other"),
        ("sort", "--name"),
        ("limit", "0"),
        ("limit", "101"),
        ("offset", "-1"),
        ("offset", "99999999999"),
        ("q", &long),
    ] {
        assert!(query(&[(name, text)]).is_err(), "{name}={text}");
    }
}
