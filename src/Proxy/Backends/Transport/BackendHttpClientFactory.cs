using System.Diagnostics;
using System.Globalization;
using System.Net;
using Proxy.Backends.Credentials;
using Proxy.Backends.PassThrough;
using Proxy.Operations.Telemetry;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Backends.Transport;

/// <summary>
/// Creates the one HTTP client of a backend, for the proxy's own requests and for those that YARP forwards: they share the
/// credential, the connections and the limit.
/// </summary>
internal sealed class BackendHttpClientFactory(
    BackendSet backends, BackendCredentials credentials, BackendTls tls, BackendPermits permits, Traffic traffic, HttpMetrics metrics,
    TimeProvider time) : ForwarderHttpClientFactory
{
    /// <summary>The connect timeout, unless <see cref="BackendOptions.Timeout"/> is shorter.</summary>
    private static readonly TimeSpan MaxConnectTime = TimeSpan.FromSeconds(5);

    protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        base.ConfigureHandler(context, handler);
        handler.AllowAutoRedirect = false;
        handler.AutomaticDecompression = DecompressionMethods.None;
        handler.UseCookies = false;
        handler.UseProxy = false;
        handler.ConnectTimeout = ReadTimeout(context) is { } timeout && timeout < MaxConnectTime ? timeout : MaxConnectTime;
        handler.Expect100ContinueTimeout = Forwarding.ContinueTimeout;
        handler.PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10);
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
        tls.ConfigureBackend(handler, context.ClusterId);
        handler.ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator();
        handler.PlaintextStreamFilter = (connection, _) =>
        {
            var counted = new CountedStream(connection.PlaintextStream, traffic);
            return ValueTask.FromResult<Stream>(
                connection.NegotiatedHttpVersion == HttpVersion.Version11 ? new KeepAliveStream(counted) : counted);
        };
    }

    protected override HttpMessageHandler WrapHandler(ForwarderHttpClientContext context, HttpMessageHandler handler) =>
        new BackendHandler(context.ClusterId, backends, credentials, permits, traffic, metrics, time)
        {
            InnerHandler = base.WrapHandler(context, handler),
        };

    private static TimeSpan? ReadTimeout(ForwarderHttpClientContext context) =>
        TimeSpan.TryParse(
            context.NewMetadata?.GetValueOrDefault(nameof(BackendOptions.Timeout)), CultureInfo.InvariantCulture,
            out var timeout) ? timeout : null;

    /// <summary>
    /// Adds the credential. A forwarded request also takes a permit until the end of the answer's body. An event channel returns it when
    /// it opens, and must open within <see cref="BackendOptions.Timeout"/>: YARP's timeout for it is that of an idle channel.
    /// </summary>
    private sealed class BackendHandler(
        string backend, BackendSet backends, BackendCredentials credentials, BackendPermits permits, Traffic traffic, HttpMetrics metrics,
        TimeProvider time)
        : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var options = backends.Find(backend);
            if (request.Options.TryGetValue(BackendPermits.PermitHeldKey, out var isHeld) && isHeld)
                return await AuthenticateAsync(options, request, cancellationToken);
            var permit = await permits.AcquireAsync(backend, cancellationToken);
            var opens = options is not null && (request.Headers.Contains("Upgrade") || request.Method == HttpMethod.Connect);
            using var timer = opens ? new CancellationTokenSource(options!.Timeout, time) : null;
            using var either = opens ? CancellationTokenSource.CreateLinkedTokenSource(timer!.Token, cancellationToken) : null;
            try
            {
                var response = await AuthenticateAsync(options, request, either?.Token ?? cancellationToken);
                if (EventChannels.IsOpening(response))
                {
                    permit.Dispose();
                    return response;
                }
                response.Content = new PermittedContent(response.Content, permit);
                return response;
            }
            catch
            {
                permit.Dispose();
                throw;
            }
        }

        private Task<HttpResponseMessage> AuthenticateAsync(
            BackendOptions? options, HttpRequestMessage request, CancellationToken cancellation) => options?.Credential is null
            ? SendTimedAsync(request, cancellation)
            : credentials.SendAsync(options, request, SendTimedAsync, cancellation);

        /// <summary>Sends a request, and records the time until the head of its answer.</summary>
        private async Task<HttpResponseMessage> SendTimedAsync(HttpRequestMessage request, CancellationToken cancellation)
        {
            using var span = Spans.StartClient(backend, request.Method.Method);
            var started = time.GetTimestamp();
            var (status, error) = (0, (string?)null);
            try
            {
                var response = await base.SendAsync(request, cancellation);
                status = (int)response.StatusCode;
                traffic.GetBackend(backend).RecordLatency(time.GetElapsedTime(started));
                return response;
            }
            catch (Exception e)
            {
                error = HttpMetrics.GetError(e);
                throw;
            }
            finally
            {
                span?.SetOutcome(status, error);
                metrics.RecordClient(time.GetElapsedTime(started), backend, request.Method.Method, status, error);
            }
        }
    }

    /// <summary>
    /// An answer's body that returns its permit when it, or its stream, is disposed: of a body that it copies, YARP disposes only
    /// the stream.
    /// </summary>
    private sealed class PermittedContent : HttpContent
    {
        private readonly HttpContent _inner;
        private readonly IDisposable _permit;

        public PermittedContent(HttpContent inner, IDisposable permit)
        {
            (_inner, _permit) = (inner, permit);
            foreach (var (name, values) in inner.Headers.NonValidated) Headers.TryAddWithoutValidation(name, values);
        }

        protected override Task<Stream> CreateContentReadStreamAsync() => CreateContentReadStreamAsync(CancellationToken.None);

        protected override async Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) =>
            new PermittedStream(await _inner.ReadAsStreamAsync(cancellationToken), _permit);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _inner.CopyToAsync(stream, context);

        protected override bool TryComputeLength(out long length)
        {
            length = _inner.Headers.ContentLength ?? 0;
            return _inner.Headers.ContentLength is not null;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _inner.Dispose();
                _permit.Dispose();
            }
            base.Dispose(disposing);
        }
    }
    private sealed class PermittedStream(Stream inner, IDisposable permit) : ReadOnlyStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            inner.ReadAsync(buffer, cancellationToken);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
                permit.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
