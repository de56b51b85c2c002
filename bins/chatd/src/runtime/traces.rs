//! Traces for an OpenTelemetry collector, if the program is built with the feature `opentelemetry`.

#[cfg(feature = "opentelemetry")]
pub(crate) use with::Traces;
#[cfg(not(feature = "opentelemetry"))]
pub(crate) use without::Traces;

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TracesError {
    #[cfg(not(feature = "opentelemetry"))]
    #[error("--trace-endpoint can't be used: this chatd was built without the feature opentelemetry")]
    NotBuilt,
    #[cfg(feature = "opentelemetry")]
    #[error("--trace-endpoint can't be used: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

#[cfg(feature = "opentelemetry")]
mod with {
    use std::time::Duration;

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_otlp::{SpanExporter, WithExportConfig};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
    use tracing::{Metadata, Subscriber};
    use tracing_subscriber::Layer;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::registry::LookupSpan;

    use super::TracesError;

    /// How long sending the last traces may take.
    const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

    /// Sends traces until it is dropped. Traces that the collector does not accept are dropped.
    #[derive(Debug)]
    pub(crate) struct Traces(Option<SdkTracerProvider>);

    impl Traces {
        /// Whether this build can send traces.
        pub(crate) fn check(_endpoint: Option<&str>) -> Result<(), TracesError> {
            Ok(())
        }

        /// Starts to send traces. Must not be called inside a runtime. `sample` is the fraction of
        /// the traces that is sent, from 0 to 1.
        pub(crate) fn start(endpoint: Option<&str>, sample: f64) -> Result<Self, TracesError> {
            let Some(endpoint) = endpoint else { return Ok(Self(None)) };
            let exporter = SpanExporter::builder().with_http().with_endpoint(endpoint).build()?;
            let provider = SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample))))
                .with_resource(Resource::builder().with_service_name("chatd").build())
                .build();
            Ok(Self(Some(provider)))
        }

        /// The layer that records chatd's own spans. They contain names of rooms and numbers, and
        /// no text of messages. `None` if traces are off.
        pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
            let tracer = self.0.as_ref()?.tracer("chatd");
            let is_own_span = |line: &Metadata<'_>| line.is_span() && line.target().starts_with("chat");
            let layer = tracing_opentelemetry::layer().with_tracer(tracer);
            Some(layer.with_location(false).with_threads(false).with_filter(filter_fn(is_own_span)))
        }
    }

    impl Drop for Traces {
        fn drop(&mut self) {
            if let Some(Err(error)) =
                self.0.as_ref().map(|provider| provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT))
            {
                tracing::warn!(%error, "could not send the last traces");
            }
        }
    }
}

#[cfg(not(feature = "opentelemetry"))]
mod without {
    use tracing::Subscriber;
    use tracing_subscriber::layer::{Identity, Layer};

    use super::TracesError;

    /// A build without traces.
    #[derive(Debug)]
    pub(crate) struct Traces;

    impl Traces {
        /// Whether this build can send traces.
        pub(crate) fn check(endpoint: Option<&str>) -> Result<(), TracesError> {
            endpoint.map_or(Ok(()), |_| Err(TracesError::NotBuilt))
        }

        pub(crate) fn start(endpoint: Option<&str>, _sample: f64) -> Result<Self, TracesError> {
            Self::check(endpoint).map(|()| Self)
        }

        pub(crate) fn layer<S: Subscriber>(&self) -> Option<impl Layer<S> + use<S>> {
            None::<Identity>
        }
    }
}
