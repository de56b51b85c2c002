//! What users show to others.

use chat_protocol::{About, DisplayName, TimeZone};

/// What a user shows to others beside the username.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// What the user wants to be called.
    pub display_name: Option<DisplayName>,
    /// What the user says about themselves.
    pub about: Option<About>,
    /// The user's time zone.
    pub time_zone: Option<TimeZone>,
}

impl Profile {
    /// Makes the changes.
    pub fn apply(&mut self, change: ProfileChange) {
        let ProfileChange { display_name, about, time_zone } = change;
        if let Some(display_name) = display_name {
            self.display_name = display_name;
        }
        if let Some(about) = about {
            self.about = about;
        }
        if let Some(time_zone) = time_zone {
            self.time_zone = time_zone;
        }
    }
}

/// Changes to parts of a [`Profile`]. A part that is `None` stays as it is, `Some(None)` removes
/// it.
///
/// ```
/// use chat_accounts::{Profile, ProfileChange};
///
/// let mut profile = Profile::default();
/// profile.apply(ProfileChange::new().display_name(Some("Ana B.".parse()?)));
/// profile.apply(ProfileChange::new().time_zone(Some("Europe/Vienna".parse()?)));
/// profile.apply(ProfileChange::new().display_name(None));
/// assert_eq!(profile.display_name, None);
/// assert!(profile.time_zone.is_some());
/// # Ok::<(), chat_accounts::TextError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileChange {
    /// What the user wants to be called.
    pub display_name: Option<Option<DisplayName>>,
    /// What the user says about themselves.
    pub about: Option<Option<About>>,
    /// The user's time zone.
    pub time_zone: Option<Option<TimeZone>>,
}

impl ProfileChange {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or removes what the user wants to be called.
    #[must_use]
    pub fn display_name(self, display_name: Option<DisplayName>) -> Self {
        Self { display_name: Some(display_name), ..self }
    }

    /// Sets or removes what the user says about themselves.
    #[must_use]
    pub fn about(self, about: Option<About>) -> Self {
        Self { about: Some(about), ..self }
    }

    /// Sets or removes the user's time zone.
    #[must_use]
    pub fn time_zone(self, time_zone: Option<TimeZone>) -> Self {
        Self { time_zone: Some(time_zone), ..self }
    }
}
