//! What is found.

use super::Index;
use super::helpers::{all, document, document_at, find, name, put, room, rooms};
use crate::{Document, Query};

/// An empty index finds nothing, and neither does a search of a room that it does not know.
pub async fn an_empty_index_finds_nothing(index: Index) {
    let index = &*index.index;
    assert_eq!(find(index, "hello", &["r"]).await, [""; 0]);
    put(index, "r", vec![document(1, "hello")]).await;
    assert_eq!(find(index, "hello", &["s"]).await, [""; 0]);
    assert_eq!(find(index, "hello", &[]).await, [""; 0]);
    assert_eq!(find(index, "hello", &["r", "r"]).await, ["r:1"]);
}

/// Puts each text into a room, and checks that each query finds exactly its text.
async fn check(index: Index, cases: &[(&str, &[&str])]) {
    let index = &*index.index;
    let texts = cases.iter().zip(1..).map(|((text, _), seq)| document(seq, text));
    put(index, "r", texts.collect()).await;
    for ((text, queries), seq) in cases.iter().zip(1..) {
        for query in *queries {
            let found = find(index, query, &["r"]).await;
            assert_eq!(found, [format!("r:{seq}")], "{query:?} finds {text:?}");
        }
    }
}

/// Words match whatever their case and accents.
pub async fn words_are_found_whatever_their_case_and_accents(index: Index) {
    let cases: [(&str, &[&str]); 11] = [
        ("Un café, s'il vous plaît", &["cafe ", "CAFÉ ", "cafe\u{301} ", "plait ", "vous PLAÎT "]),
        ("Die große Straße", &["strasse ", "GROSSE ", "straße "]),
        ("Żółć i łódź", &["zolc ", "ŁÓDŹ ", "lodz "]),
        ("Тёплый лес", &["теплый ", "ТЁПЛЫЙ ", "Лес "]),
        ("Καλημέρα κόσμε", &["καλημερα ", "ΚΌΣΜΕ "]),
        ("مُحَمَّد في المدرسة", &["محمد ", "المدرسه ", "المدرسة "]),
        ("שָׁלוֹם עולם", &["שלום ", "עולם "]),
        ("नमस्ते दुनिया", &["नमस्ते ", "दुनिया "]),
        ("Fertig 🎉 gemacht", &["🎉", "🎉 gemacht "]),
        ("ＦＵＬＬ ﬁle", &["full ", "file "]),
        ("version 2.14.3 of snake_case", &["2.14.3", "snake_case ", "case "]),
    ];
    check(index, &cases).await;
}

/// All words of a query have to be in the message, in any order.
pub async fn all_words_have_to_be_in_the_message(index: Index) {
    let index = &*index.index;
    put(index, "r", vec![document(1, "red green"), document(2, "green blue"), document(3, "red blue green")])
        .await;
    assert_eq!(find(index, "green ", &["r"]).await, ["r:3", "r:2", "r:1"]);
    assert_eq!(find(index, "green red ", &["r"]).await, ["r:3", "r:1"]);
    assert_eq!(find(index, "blue red green ", &["r"]).await, ["r:3"]);
    assert_eq!(find(index, "blue yellow ", &["r"]).await, [""; 0]);
    assert_eq!(find(index, "gree red ", &["r"]).await, [""; 0]);
}

/// The last word of a query also matches the beginning of a word.
pub async fn the_last_word_is_found_by_its_beginning(index: Index) {
    let index = &*index.index;
    put(
        index,
        "r",
        vec![document(1, "international waters"), document(2, "internal mail"), document(3, "in")],
    )
    .await;
    for (text, found) in [
        ("i", &[] as &[&str]),
        ("in", &["r:3", "r:2", "r:1"]),
        ("int", &["r:2", "r:1"]),
        ("inte", &["r:2", "r:1"]),
        ("inter", &["r:2", "r:1"]),
        ("intern", &["r:2", "r:1"]),
        ("internat", &["r:1"]),
        ("international", &["r:1"]),
        ("internationals", &[]),
        ("int ", &[]),
        ("mail in", &["r:2"]),
        ("water", &["r:1"]),
        ("wate.", &[]),
    ] {
        assert_eq!(find(index, text, &["r"]).await, found, "{text:?}");
    }
}

/// Scripts without spaces match substrings of one character and more.
pub async fn scripts_without_spaces_are_found_anywhere(index: Index) {
    let cases: [(&str, &[&str]); 7] = [
        ("我们在北京大学学习中文", &["北京", "京大", "北京大学", "中文", "文", "习", "大学 北京"]),
        ("東京タワーに行きたい", &["東京", "タワー", "きた", "ワーに行", "東"]),
        ("안녕하세요 세계", &["안녕", "하세", "하세요", "세계", "계"]),
        ("เขากินข้าวที่บ้าน", &["กินข้าว", "บ้าน"]),
        ("ສະບາຍດີ", &["ສະບາຍ", "ດີ"]),
        ("ជំរាបសួរ", &["ជំរាប", "សួរ"]),
        ("မင်္ဂလာပါ iPhone手机", &["မင်္ဂ", "手机", "iphone ", "iphone手机", "机"]),
    ];
    check(index, &cases).await;
}

/// Signs that have a meaning elsewhere have none.
pub async fn signs_have_no_meaning(index: Index) {
    let index = &*index.index;
    put(index, "r", vec![document(1, "alpha beta and or not near"), document(2, "alpha gamma")]).await;
    for (text, found) in [
        ("alpha NOT gamma ", &[] as &[&str]),
        ("alpha NOT beta ", &["r:1"]),
        ("beta OR gamma ", &[]),
        ("beta OR alpha ", &["r:1"]),
        ("NEAR(alpha beta, 2) ", &[]),
        ("NEAR(alpha beta) ", &["r:1"]),
        ("\"beta alpha\"", &["r:1"]),
        ("\"alpha", &["r:2", "r:1"]),
        ("al*", &[]),
        ("^beta ", &["r:1"]),
        ("-gamma alpha ", &["r:2"]),
        ("tokens:alpha ", &[]),
        ("{alpha} : (gamma) + ", &["r:2"]),
        ("alpha'); DROP TABLE fts; --", &[]),
        ("alpha\u{0}gamma ", &["r:2"]),
    ] {
        assert_eq!(find(index, text, &["r"]).await, found, "{text:?}");
    }
    assert_eq!(find(index, "alpha ", &["r"]).await, ["r:2", "r:1"]);
}

/// Messages of other rooms are never found.
pub async fn only_the_rooms_of_the_query_are_searched(index: Index) {
    let index = &*index.index;
    for (i, name) in (0..).zip(["a", "b", "c", "d"]) {
        put(index, name, vec![document_at(1, "secret plan", 1_000 + i), document_at(2, "hello", 2_000 + i)])
            .await;
    }
    assert_eq!(find(index, "secret", &["a"]).await, ["a:1"]);
    assert_eq!(find(index, "secret", &["c", "b"]).await, ["c:1", "b:1"]);
    assert_eq!(find(index, "secret", &["c", "x"]).await, ["c:1"]);
    assert_eq!(find(index, "secret", &["d", "c", "b", "a"]).await, ["d:1", "c:1", "b:1", "a:1"]);
    // names that are also words, or tokens of an index
    put(index, "1", vec![document(1, "one")]).await;
    assert_eq!(find(index, "one", &["1"]).await, ["1:1"]);
    assert_eq!(find(index, "1", &["1"]).await, [""; 0]);
}

/// A search covers as many rooms as a user may have, whatever part of all messages they have.
pub async fn many_rooms_are_searched(index: Index) {
    const ROOMS: usize = 700;
    let index = &*index.index;
    let names: Vec<_> = (0..ROOMS).map(|i| format!("r{i}")).collect();
    for (i, name) in names.iter().enumerate() {
        put(index, name, vec![document_at(1, &format!("word w{}", i % 7), 1_000 + i as i64)]).await;
    }
    let many: Vec<_> = (10..20_010).map(|seq| document_at(seq, "word", 5_000)).collect();
    put(index, "large", many).await;
    let mut query = Query::new("w3 ", names.iter().map(|name| room(name)).collect()).unwrap();
    let expected: Vec<_> = (0..ROOMS).rev().filter(|i| i % 7 == 3).map(|i| format!("r{i}:1")).collect();
    assert_eq!(all(index, query.clone()).await, expected);
    query.rooms.push(room("large"));
    assert_eq!(all(index, query).await, expected);
    let query = Query::new("word ", names.iter().map(|name| room(name)).collect()).unwrap().limit(100);
    assert_eq!(all(index, query).await.len(), ROOMS);
}

/// With an author, only messages that were sent under this name are found.
pub async fn only_messages_of_the_author_are_found(index: Index) {
    let index = &*index.index;
    let names = ["ana", "Ana", "ana-B", "ana-b", "ana_b", "an"];
    let from = |(seq, from)| Document { from: name(from), ..document(seq, "hello") };
    put(index, "r", (1..).zip(names).map(from).collect()).await;
    for (seq, from) in (1..).zip(names) {
        let query = Query::new("hello", rooms(&["r"])).unwrap().from(name(from));
        assert_eq!(all(index, query).await, [format!("r:{seq}")], "{from}");
    }
    let query = Query::new("hello", rooms(&["r"])).unwrap().from(name("eve"));
    assert_eq!(all(index, query).await, [""; 0]);
    assert_eq!(find(index, "ana", &["r"]).await, [""; 0], "a name is not text");
}

/// The newest messages come first, whatever the order in which rooms were indexed.
pub async fn the_newest_messages_of_all_rooms_come_first(index: Index) {
    let index = &*index.index;
    put(index, "a", vec![document_at(1, "x", 5_000), document_at(2, "x", 90_000_000)]).await;
    put(index, "b", vec![document_at(1, "x", 4_000), document_at(2, "x", 6_000)]).await;
    put(index, "c", vec![document_at(1, "x", 0), document_at(2, "x", 5_001)]).await;
    let expected = ["a:2", "b:2", "c:2", "a:1", "b:1", "c:1"];
    assert_eq!(find(index, "x ", &["a", "b", "c"]).await, expected);
}

/// Pages join without loss and repetition, whatever their size.
pub async fn pages_continue_where_the_last_one_ended(index: Index) {
    let index = &*index.index;
    let text = |seq: u64| if seq.is_multiple_of(3) { "fizz" } else { "other" };
    put(index, "r", (1..=300).map(|seq| document(seq, text(seq))).collect()).await;
    let expected: Vec<_> = (1..=300).rev().filter(|seq| seq % 3 == 0).map(|seq| format!("r:{seq}")).collect();
    for limit in [1, 2, 7, 99, 100] {
        let query = Query::new("fizz ", rooms(&["r"])).unwrap().limit(limit);
        assert_eq!(all(index, query).await, expected, "{limit}");
    }
    // a page is full, and there is nothing after it
    let query = Query::new("fizz ", rooms(&["r"])).unwrap().limit(100);
    let found = index.search(query).await.unwrap();
    assert_eq!((found.keys.len(), found.next), (100, None));
}

/// Any number of messages of one millisecond is found, each once.
pub async fn messages_of_one_millisecond_are_found_once(index: Index) {
    let index = &*index.index;
    for name in ["a", "b", "c"] {
        put(index, name, (1..=150).map(|seq| document_at(seq, "same", 7_000)).collect()).await;
    }
    put(index, "d", (1..=3).map(|seq| document_at(seq, "same", 7_001)).collect()).await;
    for limit in [1, 10, 64, 100] {
        let query = Query::new("same ", rooms(&["a", "b", "c", "d"])).unwrap().limit(limit);
        let mut found = all(index, query).await;
        assert_eq!(found.len(), 453);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 453, "each once");
    }
}
