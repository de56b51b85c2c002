//! What a page needs to know of the site before its user is known.

use std::sync::Arc;

use crate::config::{Logo, Site};
use crate::context::Context;
use crate::encoding::rendered::Rendered;

/// The site as it is configured, with the welcome text as HTML.
#[derive(Debug)]
pub(crate) struct RenderedSite {
    pub(crate) site: Site,
    /// The welcome text as sanitised HTML.
    pub(crate) welcome_html: Option<Arc<str>>,
}

impl RenderedSite {
    pub(crate) fn new(site: Site, rendered: &Rendered) -> Self {
        let welcome_html = site.welcome.as_ref().map(|welcome| rendered.render(welcome.as_str()));
        Self { site, welcome_html }
    }
}

impl Context {
    /// Shows another site from now on.
    pub(crate) fn set_site(&self, site: Site) {
        self.show_on_page(&site);
        self.site.store(Arc::new(RenderedSite::new(site, &self.rendered)));
    }

    /// Gives the page its name, and lets it show the logo and no other image of that server.
    pub(crate) fn show_on_page(&self, site: &Site) {
        let Some(pages) = &self.pages else { return };
        pages.set_site_name(site.name());
        let source = site.logo.as_ref().and_then(Logo::policy_source);
        if let Err(error) = pages.allow_image(source) {
            tracing::warn!(%error, "the page can't show the logo");
        }
    }
}
