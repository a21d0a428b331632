using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// Answers of one uncompressed frame, kept packed for clients that take it so: half the bytes for a CT, a quarter for an ultrasound.
/// </summary>
/// <remarks>
/// <code>
/// 1 miss         as it is
/// 2 hit          as it is; behind the answer a job is left here
/// 3 the job      packs the whole answer, on a thread of its own, one at a time; what does not pay is marked
/// 4 hit          packed
/// </code>
/// What is packed stands beside the body that it was made of and is given only for that one: who asks has found the body
/// first, and so neither a purge nor another owner of the series has to be told here. Jobs that are too many are dropped:
/// the next hit leaves another.
/// </remarks>
public sealed class PackedFrames(MemoryTier memory, ILogger<PackedFrames> log) : BackgroundService
{
    /// <summary>Below this little is saved; above it one job takes too long.</summary>
    private const long LeastBytes = 4 * 1024, MostBytes = 16 * 1024 * 1024;

    /// <summary>Jobs that wait, and what they keep from being freed when it leaves the memory tier meanwhile.</summary>
    private const int MostJobs = 512;

    private const long MostWaitingBytes = 32 * 1024 * 1024;

    private readonly BlockingCollection<Job> _jobs = new(MostJobs);
    private readonly ConcurrentDictionary<Key, bool> _waiting = new();
    private readonly Lock _lock = new();
    private long _waitingBytes;
    private int _purges;

    /// <summary>All that the bytes of an answer depend on, but for the body itself.</summary>
    /// <param name="Backend">That gave the body.</param>
    /// <param name="Answer">The name of the answer as it is unpacked.</param>
    /// <param name="Coding">How it is packed.</param>
    public sealed record Key(string Backend, string Answer, Coding Coding);

    /// <param name="Stored">When the body came that it was made of.</param>
    /// <param name="Head">What that body is.</param>
    /// <param name="Body">The answer; null when packing it saves less than a fifth.</param>
    public sealed record Packed(DateTimeOffset Stored, EntryHead Head, byte[]? Body);

    private sealed record Job(
        Key Key, EntryHead Head, DateTimeOffset Stored, IReadOnlyList<ReadOnlyMemory<byte>> Pieces, Wrapping Wrapping, int Purges)
    {
        public long Bytes => Head.Length!.Value;
    }

    /// <summary>Whether such frames are packed: only those that are not compressed already.</summary>
    public static bool AreFor(EntryHead head) =>
        head is
        {
            MediaType: MediaType.OctetStream, TransferSyntax: TransferSyntax.ImplicitLittleEndian or BodyFormat.ExplicitLittleEndian,
            Length: >= LeastBytes and <= MostBytes
        };

    /// <summary>The packed answer that was made of this very body; null when there is none yet.</summary>
    public Packed? Find(Key key, IBody body) =>
        memory.TryFind<Packed>(key, out var packed) && packed.Stored == body.Stored && packed.Head == body.Head ? packed : null;

    /// <summary>Leaves a job for the next time; not when the body is not in memory.</summary>
    public void Want(Key key, IBody body, Wrapping wrapping)
    {
        if (!AreFor(body.Head) || body is not MemoryBody { Lasting: { } pieces, Stored: { } stored }) return;
        if (Interlocked.Read(ref _waitingBytes) > MostWaitingBytes || !_waiting.TryAdd(key, true)) return;
        var job = new Job(key, body.Head, stored, pieces, wrapping, Volatile.Read(ref _purges));
        Interlocked.Add(ref _waitingBytes, job.Bytes);
        if (!_jobs.TryAdd(job)) Leave(job);
    }

    /// <summary>What was to be packed is purged: nothing that waits here is kept.</summary>
    public void Purge()
    {
        lock (_lock) _purges++;
    }

    public override void Dispose()
    {
        base.Dispose();
        _jobs.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.Factory.StartNew(() => Run(stoppingToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(CancellationToken stopping)
    {
        // Where the system heeds it, clients that wait go first.
        Thread.CurrentThread.Priority = ThreadPriority.Lowest;
        while (TryTake(out var job, stopping))
        {
            try
            {
                Keep(job, Pack(job));
            }
            catch (Exception e)
            {
                log.RequestFailed(e);
            }
            finally
            {
                Leave(job);
            }
        }
    }

    private bool TryTake([NotNullWhen(true)] out Job? job, CancellationToken stopping)
    {
        job = null;
        try
        {
            return _jobs.TryTake(out job, Timeout.Infinite, stopping);
        }
        catch (OperationCanceledException)
        {
            // The process ends.
            return false;
        }
    }

    private static Packed Pack(Job job)
    {
        var body = Packing.PackPixels([job.Wrapping.Opening, .. job.Pieces, job.Wrapping.End], job.Key.Coding);
        return new(job.Stored, job.Head, body.Length <= job.Bytes / 5 * 4 ? body : null);
    }

    private void Keep(Job job, Packed packed)
    {
        lock (_lock)
        {
            if (_purges == job.Purges) memory.Add(job.Key, packed, packed.Body?.Length ?? 0);
        }
    }

    private void Leave(Job job)
    {
        Interlocked.Add(ref _waitingBytes, -job.Bytes);
        _waiting.TryRemove(job.Key, out _);
    }
}
