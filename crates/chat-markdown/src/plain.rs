//! A text as it was written, when it is not, or no longer, read as Markdown.

use crate::html::escape;
use crate::marks::Marks;

/// The class of a text that is shown as it was written. Its line breaks count.
pub(crate) const CLASS: &str = "md-plain";

/// Append `text`, escaped. It weighs nothing, since it does not go through the sanitiser: there is one element, it is ours, and
/// what is in it cannot end it.
pub(crate) fn plain(text: &str, html: &mut String) {
    // A parser drops a line break right behind `<pre>`.
    let text = text.trim_start_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return;
    }
    html.push_str("<pre class=\"");
    html.push_str(CLASS);
    html.push_str("\" dir=\"auto\">");
    escape(&Marks::default().bounded(text), "", html);
    html.push_str("</pre>");
}
