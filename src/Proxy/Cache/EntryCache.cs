using System.Collections.Concurrent;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>Bodies that are kept, and those on their way: a backend is asked once for one thing, however many clients want it.</summary>
public sealed class EntryCache(MemoryTier memory, TimeProvider time, ILogger<EntryCache> log)
{
    private readonly ConcurrentDictionary<EntryKey, Fill> _fills = new();

    /// <summary>Asks a backend and writes what comes into the fill, up to the proof that it is whole.</summary>
    public delegate Task<BackendAnswer<EntryHead>> Fetch(Fill fill, CancellationToken cancellation);

    /// <summary>A kept entry, or a place in a fill. One of the two is set.</summary>
    /// <param name="Entry">Kept: a hit.</param>
    /// <param name="Reader">On its way.</param>
    /// <param name="IsCollapsed">Another client's request is already fetching it.</param>
    public readonly record struct Lookup(Entry? Entry, Fill.Reader? Reader, bool IsCollapsed);

    public bool TryFind(EntryKey key, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Entry? entry) => memory.TryFind(key, out entry);

    /// <param name="key">What is wanted.</param>
    /// <param name="fetch">How it is asked for when it is not here.</param>
    /// <param name="keeps">False for what would only throw out the rest: it passes through a window and is gone.</param>
    public Lookup Get(EntryKey key, Fetch fetch, bool keeps = true)
    {
        while (true)
        {
            if (memory.TryFind<Entry>(key, out var entry)) return new(entry, null, false);
            if (_fills.TryGetValue(key, out var running))
            {
                if (running.Join() is { } joined) return new(null, joined, true);
                _fills.TryRemove(new(key, running));
            }
            var fill = new Fill(keeps ? memory.MaxEntryBytes : 0);
            var reader = fill.Join()!;
            if (!_fills.TryAdd(key, fill)) continue;

            // Between the first look and now another fill may have come to its end.
            if (memory.TryFind(key, out entry))
            {
                _fills.TryRemove(new(key, fill));
                fill.End(null);
                return new(entry, null, false);
            }
            _ = RunAsync(key, fill, fetch);
            return new(null, reader, false);
        }
    }

    /// <summary>Drops what is kept of a series that a backend no longer holds.</summary>
    public void Remove(string backend, SeriesPath path) => RemoveBelow(backend, $"{path}/");

    /// <summary>Drops what is kept of an instance that a backend no longer holds.</summary>
    public void Remove(string backend, InstancePath path)
    {
        memory.RemoveWhere(key => key is EntryKey entry && entry.Backend == backend && entry.Place == path.ToString());
        RemoveBelow(backend, $"{path}/");
    }

    /// <summary>Drops all that came from a backend.</summary>
    public void Remove(string backend) => RemoveBelow(backend, "");

    private void RemoveBelow(string backend, string place) =>
        memory.RemoveWhere(key => key is EntryKey entry && entry.Backend == backend && entry.Place.StartsWith(place, StringComparison.Ordinal));

    private async Task RunAsync(EntryKey key, Fill fill, Fetch fetch)
    {
        // The client's thread goes on to its own part.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var answer = await fetch(fill, fill.Stopped);
            if (!answer.IsFound) fill.End(answer.Failure);
            else if (fill.Complete(answer.Value, time.GetUtcNow()) is { } entry) memory.Add(key, entry, entry.Length);
        }
        catch (OperationCanceledException)
        {
            // Nobody waits for it any more.
        }
        catch (Exception e)
        {
            log.RequestFailed(e);
            fill.End(new("", BackendError.BadAnswer, "a fault of the proxy"));
        }
        finally
        {
            _fills.TryRemove(new(key, fill));
            fill.End(new("", BackendError.TimedOut, "given up"));
        }
    }
}
