using System.Net;
using Proxy.Backends.Transport;

namespace Proxy.Backends.DicomWeb;

/// <summary>The body of a request that stores instances: written once, as the client sends it, with the client's pace.</summary>
/// <remarks>
/// <code>
/// client reads     no limit: the server ends a request whose client is too slow
/// backend writes   each within the backend's timeout: a backend that takes no bytes is late
/// answer           within the backend's timeout and one more second per 8 MiB, because a backend may store when it has all bytes
/// </code>
/// The HTTP handler may send a request again on another connection if a pooled connection was closed. That is safe before the body was
/// begun; a second attempt after that fails.
/// </remarks>
internal sealed class StoreContent : HttpContent
{
    private const long BytesPerSecond = 8L << 20;

    private readonly StoreRequest _request;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _timer;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long? _headAt;
    private int _hasBegun;
    private long _sent;

    public StoreContent(StoreRequest request, TimeSpan timeout, TimeProvider time)
    {
        (_request, _timeout, _time) = (request, timeout, time);
        // Until the body begins, this limits the connecting.
        _timer = new(timeout, time);
        Headers.TryAddWithoutValidation("Content-Type", request.Form.ToHeader());
    }

    /// <summary>Cancelled when the backend is late.</summary>
    public CancellationToken Late => _timer.Token;

    /// <summary>The exception that the client's body ended with; null when the client did not fail.</summary>
    public Exception? ClientError { get; private set; }

    /// <summary>True when the backend may have received a part of the body.</summary>
    public bool IsSent => Volatile.Read(ref _hasBegun) != 0;

    /// <summary>
    /// Whether a long body waits until the backend sends 100 Continue (RFC 9110 §10.1.1), so that one which refuses the body by the head of
    /// the request can answer before it closes the connection.
    /// </summary>
    public bool MayExpectContinue { get; init; } = true;

    /// <summary>True when the body waited for 100 Continue as long as it does for a backend that sends none.</summary>
    public bool HasMissedContinue { get; private set; }

    /// <summary>Call before the head of the request is sent; true when it shall expect 100 Continue.</summary>
    public bool BeginHead()
    {
        if (!MayExpectContinue || _request.Length < Forwarding.ExpectContinueBytes) return false;
        _headAt = _time.GetTimestamp();
        return true;
    }

    /// <summary>Ends the writing, and returns when the body of the client is not read any more.</summary>
    public async Task EndAsync()
    {
        await _stop.CancelAsync();
        if (IsSent) await _ended.Task;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _hasBegun, 1) != 0) throw new InvalidOperationException("A body is sent once.");
        HasMissedContinue = _headAt is { } head && _time.GetElapsedTime(head) >= Forwarding.ContinueTimeout;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stop.Token);
        var output = new Output(this, stream);
        try
        {
            _timer.CancelAfter(Timeout.InfiniteTimeSpan);
            await _request.WriteAsync(output, ending.Token);
        }
        catch (Exception e) when (!output.HasFailed && !ending.IsCancellationRequested)
        {
            ClientError = e;
            // The handler reports an IOException of the client as one of the connection to the backend.
            throw new ClientFailedException(e);
        }
        finally
        {
            _timer.CancelAfter(_timeout + TimeSpan.FromSeconds(Interlocked.Read(ref _sent) / BytesPerSecond));
            _ended.TrySetResult();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _request.Length ?? 0;
        return _request.Length is not null;
    }

    private sealed class ClientFailedException(Exception cause) : Exception("The client did not send the whole body.", cause);

    /// <summary>The stream to the backend: each write has the time limit; its failures are not those of the client.</summary>
    private sealed class Output(StoreContent content, Stream inner) : WriteOnlyStream
    {
        public bool HasFailed { get; private set; }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            content._timer.CancelAfter(content._timeout);
            try
            {
                await inner.WriteAsync(buffer, cancellationToken);
                Interlocked.Add(ref content._sent, buffer.Length);
            }
            catch
            {
                HasFailed = true;
                throw;
            }
            content._timer.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }
}
