using System.Collections.Concurrent;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// Caches complete metadata answers, within the memory budget. Concurrent requests for an answer build it once.
/// </summary>
/// <remarks>
/// An answer contains the address that the client used. A client can name any address, so answers are cached for a few addresses
/// only; an answer for another address is written while it is sent.
/// </remarks>
/// <param name="cache">Stores the answers.</param>
/// <param name="time">The clock.</param>
public sealed class ReadyMetadata(AnswerCache cache, TimeProvider time)
{
    /// <summary>The limit of addresses: the proxy's own names, in both schemes, with the roots of some backends.</summary>
    public const int MaxRoots = 32;

    /// <summary>An address may be replaced when no answer was built for it for this time.</summary>
    public static readonly TimeSpan RootIdleAfter = TimeSpan.FromMinutes(10);

    private readonly Answers<Key, byte[]> _answers = cache.For<Key, byte[]>();
    private readonly ConcurrentDictionary<string, long> _roots = new(StringComparer.Ordinal);
    private readonly SingleFlight<Key, byte[]> _inFlight = new();

    /// <summary>Building an answer takes three times its size in memory, so the limit is the number of processors.</summary>
    private readonly SemaphoreSlim _builders = new(Environment.ProcessorCount);

    /// <summary>Everything that an answer depends on.</summary>
    /// <param name="Metadata">A hash of the metadata.</param>
    /// <param name="Instance">The requested instance; null for all.</param>
    /// <param name="Root">The root as the client addresses it.</param>
    /// <param name="Coding">The content coding.</param>
    /// <param name="IsXml">True for DICOM XML, false for DICOM JSON.</param>
    public sealed record Key(UInt128 Metadata, Uid? Instance, string Root, Coding Coding, bool IsXml = false);

    /// <summary>The answer; null when answers for this address are not cached, so that it must be written while it is sent.</summary>
    /// <param name="key">Identifies the answer.</param>
    /// <param name="write">Writes its text, piece by piece.</param>
    /// <param name="cancellation">Cancelled when the client disconnects; the build continues while another client waits.</param>
    public ValueTask<byte[]?> GetAsync(Key key, Func<IEnumerable<ReadOnlyMemory<byte>>> write, CancellationToken cancellation)
    {
        if (_answers.TryFind(key, out var ready)) return new(ready);
        return IsCachedFor(key.Root) ? new(BuildAsync(key, write, cancellation)) : new((byte[]?)null);
    }

    private async Task<byte[]?> BuildAsync(Key key, Func<IEnumerable<ReadOnlyMemory<byte>>> write, CancellationToken cancellation)
    {
        var (body, _) = await _inFlight.RunAsync(
            key,
            async stopped =>
            {
                // Another request may have built it since the first look-up.
                if (_answers.TryFind(key, out var ready)) return ready;
                await _builders.WaitAsync(stopped);
                try
                {
                    var answer = Packing.Compress(write(), key.Coding);
                    _answers.Add(key, answer, answer.Length);
                    return answer;
                }
                finally
                {
                    _builders.Release();
                }
            },
            cancellation);
        return body;
    }

    private bool IsCachedFor(string root)
    {
        var now = time.GetTimestamp();
        if (_roots.ContainsKey(root) || _roots.Count < MaxRoots)
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
