using System.Collections.Concurrent;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// Metadata answers that are ready to be sent, within the budget of the memory tier. However many want the same one, it is made once.
/// </summary>
/// <remarks>
/// An answer contains the address that the client used. A client can name any address, so answers are kept for a few
/// addresses only; those for others are written as they leave.
/// </remarks>
/// <param name="memory">Where they are kept.</param>
/// <param name="time">The clock.</param>
public sealed class ReadyMetadata(MemoryTier memory, TimeProvider time)
{
    /// <summary>So many addresses: the proxy's own names, of both schemes, with the roots of some backends.</summary>
    public const int MostRoots = 32;

    /// <summary>An address gives way to another when nothing was made for it for this time.</summary>
    public static readonly TimeSpan RootIdleAfter = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, long> _roots = new(StringComparer.Ordinal);
    private readonly SingleFlight<Key, byte[]> _making = new();

    /// <summary>An answer takes three times its size while it is made: no more at once than there are processors.</summary>
    private readonly SemaphoreSlim _makers = new(Environment.ProcessorCount);

    /// <summary>What an answer depends on.</summary>
    /// <param name="Metadata">A hash of what it says.</param>
    /// <param name="Instance">The one that it is about; null for all.</param>
    /// <param name="Root">The root as the client addressed it.</param>
    /// <param name="Coding">How it is packed.</param>
    public sealed record Key(UInt128 Metadata, Uid? Instance, string Root, Coding Coding);

    /// <summary>The answer; null when it is not kept for this address, and has to be written as it leaves.</summary>
    /// <param name="key">Which.</param>
    /// <param name="write">Gives its text, piece by piece.</param>
    /// <param name="cancellation">The client leaves; it is made as long as another waits.</param>
    public ValueTask<byte[]?> GetAsync(Key key, Func<IEnumerable<ReadOnlyMemory<byte>>> write, CancellationToken cancellation)
    {
        if (memory.TryFind<byte[]>(key, out var ready)) return new(ready);
        return IsKeptFor(key.Root) ? new(MakeAsync(key, write, cancellation)) : new((byte[]?)null);
    }

    private async Task<byte[]?> MakeAsync(Key key, Func<IEnumerable<ReadOnlyMemory<byte>>> write, CancellationToken cancellation)
    {
        var (body, _) = await _making.RunAsync(
            key,
            async stopped =>
            {
                // Another may have made it between the look and now.
                if (memory.TryFind<byte[]>(key, out var ready)) return ready;
                await _makers.WaitAsync(stopped);
                try
                {
                    var made = Packing.Pack(write(), key.Coding);
                    memory.Add(key, made, made.Length);
                    return made;
                }
                finally
                {
                    _makers.Release();
                }
            },
            cancellation);
        return body;
    }

    private bool IsKeptFor(string root)
    {
        var now = time.GetTimestamp();
        if (_roots.ContainsKey(root) || _roots.Count < MostRoots)
        {
            _roots[root] = now;
            return true;
        }
        foreach (var (other, used) in _roots)
        {
            if (time.GetElapsedTime(used, now) < RootIdleAfter) continue;
            _roots.TryRemove(new(other, used));
            _roots[root] = now;
            return true;
        }
        return false;
    }
}
