using Proxy.Backends;
using Proxy.Operations;
using Proxy.Operations.Telemetry;

namespace Proxy.Cache;

/// <summary>Bodies that arrive among others in one answer of a backend.</summary>
public sealed partial class EntryCache
{
    /// <summary>
    /// Takes a body from an answer with many: readers that join it get it as it arrives, and it is stored once its end is verified. It runs
    /// in the flow of the caller, which reads the next body afterwards: changes of threads cost more than a small body.
    /// </summary>
    /// <param name="key">The key of the body.</param>
    /// <param name="placement">Where to store the body.</param>
    /// <param name="receive">
    /// Writes the bytes and returns the head of the verified body. Readers that join before its first byte get it from the beginning.
    /// Its exception ends the body for them, and is thrown again.
    /// </param>
    /// <returns>
    /// False when nothing was received: the body is cached, another fetch runs, or there is no memory for it.
    /// </returns>
    public async Task<bool> TryReceiveAsync(EntryKey key, Placement placement, Func<InFlightBody, Task<EntryHead>> receive)
    {
        if (_memory.InFlight.IsExhausted && !_next.CanWrite || TryBegin(key, placement) is not { } inFlight) return false;
        // A slow or disconnected client does not end the body. This reader is past the end, so it holds up no window.
        using var reader = inFlight.Join()!;
        await reader.MoveToAsync(long.MaxValue, CancellationToken.None);
        using var span = Spans.Start("fetch");
        try
        {
            var head = await receive(inFlight);
            var complete = await inFlight.CompleteAsync(head, _time.GetUtcNow());
            _ = EndAsync(key, inFlight, StoreAsync(key, head, inFlight, complete));
            return true;
        }
        catch (Exception e)
        {
            inFlight.End(
                e is OperationCanceledException
                    ? new("", BackendError.TimedOut, "cancelled")
                    : new(key.Backend, BackendError.BadAnswer, "the body was truncated"));
            _ = EndAsync(key, inFlight, Task.CompletedTask);
            throw;
        }
    }

    /// <summary>Adds a body in flight; null when the body is cached, or another fetch runs.</summary>
    private InFlightBody? TryBegin(EntryKey key, Placement placement)
    {
        while (true)
        {
            if (IsFound()) return null;
            if (_inFlight.TryGetValue(key, out var running))
            {
                using var joined = running.Join();
                if (joined is not null)
                {
                    Claim(key, running, placement);
                    return null;
                }
                _inFlight.TryRemove(new(key, running));
            }
            var inFlight = CreateInFlight(_ => key, placement);
            if (!_inFlight.TryAdd(key, inFlight)) continue;

            // Between the first lookup and now another fetch may have completed.
            if (!IsFound()) return inFlight;
            _inFlight.TryRemove(new(key, inFlight));
            inFlight.End(null);
            return null;
        }

        bool IsFound()
        {
            if (!TryFind(key, placement, out var cached)) return false;
            cached.Dispose();
            return true;
        }
    }

    private async Task EndAsync(EntryKey key, InFlightBody inFlight, Task storing)
    {
        try
        {
            await storing;
        }
        catch (Exception e)
        {
            _log.UnhandledException(e);
        }
        finally
        {
            _inFlight.TryRemove(new(key, inFlight));
            inFlight.Close();
        }
    }
}
