using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Threading.RateLimiting;
using Yarp.ReverseProxy.Forwarder;

namespace Proxy.Backends.Transport;

/// <summary>
/// Makes the one HTTP client of a backend, for what the proxy asks and reads itself and for what YARP forwards
/// untouched: both go out with the same credential, over the same connections, under the same limit.
/// </summary>
internal sealed class BackendHttpClientFactory(BackendSet backends) : ForwarderHttpClientFactory
{
    /// <summary>How many requests may wait for each that runs, before more are refused.</summary>
    private const int WaitingPerRunning = 64;

    /// <summary>The longest that connecting may take; a shorter <see cref="BackendOptions.Timeout"/> bounds it too.</summary>
    private static readonly TimeSpan MaxConnectTime = TimeSpan.FromSeconds(5);

    protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        base.ConfigureHandler(context, handler);
        handler.AllowAutoRedirect = false;
        handler.AutomaticDecompression = DecompressionMethods.None;
        handler.UseCookies = false;
        handler.UseProxy = false;
        handler.ConnectTimeout = ReadTimeout(context) is { } timeout && timeout < MaxConnectTime ? timeout : MaxConnectTime;
        handler.PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10);
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(2);
        handler.ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator();
        handler.PlaintextStreamFilter = (connection, _) => ValueTask.FromResult(
            connection.NegotiatedHttpVersion == HttpVersion.Version11 ? new KeepAliveStream(connection.PlaintextStream) : connection.PlaintextStream);
    }

    protected override HttpMessageHandler WrapHandler(ForwarderHttpClientContext context, HttpMessageHandler handler)
    {
        var configured = context.NewMetadata?.GetValueOrDefault(nameof(BackendOptions.MaxConcurrentRequests));
        var running = int.TryParse(configured, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0 ? n : 16;
        var limiter = new ConcurrencyLimiter(new() { PermitLimit = running, QueueLimit = running * WaitingPerRunning, QueueProcessingOrder = QueueProcessingOrder.OldestFirst });
        return new BackendHandler(context.ClusterId, backends, limiter, base.WrapHandler(context, handler));
    }

    private static TimeSpan? ReadTimeout(ForwarderHttpClientContext context) =>
        TimeSpan.TryParse(context.NewMetadata?.GetValueOrDefault(nameof(BackendOptions.Timeout)), CultureInfo.InvariantCulture, out var timeout) ? timeout : null;

    /// <summary>Puts the credential on and holds one of the backend's permits until the answer's body is done with.</summary>
    private sealed class BackendHandler(string backend, BackendSet backends, ConcurrencyLimiter limiter, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (backends.Find(backend)?.Credential is { } credential)
            {
                request.Headers.Remove(credential.Header);
                request.Headers.TryAddWithoutValidation(credential.Header, credential.Value);
            }
            var lease = await limiter.AcquireAsync(1, cancellationToken);
            if (!lease.IsAcquired)
            {
                lease.Dispose();
                throw new BackendBusyException();
            }
            try
            {
                var response = await base.SendAsync(request, cancellationToken);
                response.Content = new LeasedContent(response.Content, lease);
                return response;
            }
            catch
            {
                lease.Dispose();
                throw;
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) limiter.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>An answer's body as it is, with the permit that ends with it.</summary>
    private sealed class LeasedContent : HttpContent
    {
        private readonly HttpContent _inner;
        private readonly RateLimitLease _lease;

        public LeasedContent(HttpContent inner, RateLimitLease lease)
        {
            (_inner, _lease) = (inner, lease);
            foreach (var (name, values) in inner.Headers.NonValidated) Headers.TryAddWithoutValidation(name, values);
        }

        protected override Task<Stream> CreateContentReadStreamAsync() => _inner.ReadAsStreamAsync();

        protected override Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) => _inner.ReadAsStreamAsync(cancellationToken);

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
                _lease.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
