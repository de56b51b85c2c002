//! Text that is shown as it was written, because it is not, or no longer, read as Markdown.

use crate::classes;
use crate::html::escape;
use crate::marks::Marks;

/// Appends `text`, escaped. It has no weight because it does not pass the sanitiser: there is only
/// one element, which the text cannot end.
pub(crate) fn plain(text: &str, html: &mut String) {
    // a parser drops a line break directly after `<pre>`
    let text = text.trim_start_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return;
    }
    html.push_str("<pre class=\"");
    html.push_str(classes::PLAIN);
    html.push_str("\" dir=\"auto\">");
    escape(&Marks::default().limited(text), "", html);
    html.push_str("</pre>");
}
