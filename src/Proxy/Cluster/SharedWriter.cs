using System.Threading.Channels;
using Proxy.Cache;
using Proxy.Operations;

namespace Proxy.Cluster;

/// <summary>Writes bodies to the engine behind the requests that fetched them. A body for which there is no room is dropped.</summary>
/// <param name="bodies">The bodies in the engine.</param>
/// <param name="log">Logs bugs.</param>
internal sealed class SharedWriter(SharedBodies bodies, ILogger<SharedWriter> log) : BackgroundService
{
    /// <summary>The most bytes that wait to be written.</summary>
    private const long MaxBytes = 64L << 20;

    private readonly Channel<(LogPosition Position, EntryKey Key, Entry Entry)> _queue =
        Channel.CreateBounded<(LogPosition, EntryKey, Entry)>(4096);

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
    public void Add(LogPosition position, EntryKey key, Entry entry)
    {
        entry.Usage?.AddReader();
        if (Interlocked.Add(ref _bytes, entry.Length) <= MaxBytes && _queue.Writer.TryWrite((position, key, entry))) return;
        Release(entry);
        Interlocked.Increment(ref _dropped);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var (position, key, entry) in _queue.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                if (await bodies.WriteAsync(position, key, entry)) Interlocked.Increment(ref _written);
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
