using System.Threading.Channels;
using Proxy.Cache;
using Proxy.Cluster.Changes;
using Proxy.Operations;

namespace Proxy.Cluster;

/// <summary>Writes bodies to the engine behind the requests that fetched them. A body for which there is no room is dropped.</summary>
/// <param name="bodies">The bodies in the engine.</param>
/// <param name="log">Logs bugs.</param>
internal sealed class SharedWriter(SharedBodies bodies, ILogger<SharedWriter> log) : BackgroundService
{
    /// <summary>The most bytes that wait to be written.</summary>
    private const long MaxBytes = 64L << 20;

    private readonly Channel<(LogPosition Position, EntryKey Key, string Identity, Entry Entry)> _queue =
        Channel.CreateBounded<(LogPosition, EntryKey, string, Entry)>(4096);

    private long _bytes;
    private long _dropped;
    private long _written;

    /// <summary>Bodies that were not written: the queue or the engine was full, or the engine was not used.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Bodies that were written.</summary>
    public long Written => Interlocked.Read(ref _written);

    /// <summary>Bytes that wait.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Queues a body.</summary>
    /// <param name="position">The position of the change log now.</param>
    /// <param name="key">The key.</param>
    /// <param name="identity">The identity of its backend now.</param>
    /// <param name="entry">The body.</param>
    public void Add(LogPosition position, EntryKey key, string identity, Entry entry)
    {
        entry.Usage?.AddReader();
        if (Interlocked.Add(ref _bytes, entry.Length) <= MaxBytes && _queue.Writer.TryWrite((position, key, identity, entry))) return;
        Release(entry);
        Interlocked.Increment(ref _dropped);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var (position, key, identity, entry) in _queue.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                if (await bodies.WriteAsync(position, key, identity, entry)) Interlocked.Increment(ref _written);
                else Interlocked.Increment(ref _dropped);
            }
            catch (Exception e)
            {
                log.UnhandledException(e);
            }
            finally
            {
                Release(entry);
            }
        }
    }

    private void Release(Entry entry)
    {
        Interlocked.Add(ref _bytes, -entry.Length);
        entry.Usage?.RemoveReader();
    }
}
