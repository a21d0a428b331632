using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>
/// Caches compressed answers with one uncompressed frame, for clients that accept a content coding: half the bytes for a CT, a
/// quarter for an ultrasound.
/// </summary>
/// <remarks>
/// <code>
/// 1 miss         send the frame uncompressed
/// 2 hit          send the frame uncompressed, then queue a job
/// 3 the job      compresses the whole answer, on a thread of its own, one at a time; an answer that saves too little is marked
/// 4 hit          send the compressed answer
/// </code>
/// A compressed answer is stored beside the body that it was made from, and is used only for that body. A client finds the body
/// first, so a purge or a new owner of the series needs no notification here. Its boundary was first sent with that body, so the
/// sender of the body cannot have known it. Jobs beyond the queue's limit are dropped; the next
/// hit queues another.
/// </remarks>
public sealed class PackedFrames(AnswerCache cache, ILogger<PackedFrames> log) : BackgroundService
{
    /// <summary>Below the minimum little is saved; above the maximum one job takes too long.</summary>
    private const long MinBytes = 4 * 1024, MaxBytes = 16 * 1024 * 1024;

    /// <summary>The limits of queued jobs, and of the memory that they hold after the memory tier has evicted it.</summary>
    private const int MaxJobs = 512;

    private const long MaxQueuedBytes = 32 * 1024 * 1024;

    private readonly Answers<Key, Packed> _answers = cache.For<Key, Packed>();
    private readonly BlockingCollection<Job> _jobs = new(MaxJobs);
    private readonly ConcurrentDictionary<Key, bool> _queued = new();
    private readonly Lock _lock = new();
    private long _queuedBytes;
    private int _purges;

    /// <summary>Everything that the bytes of an answer depend on, except the body itself.</summary>
    /// <param name="Backend">The backend of the body.</param>
    /// <param name="Answer">The name of the uncompressed answer.</param>
    /// <param name="Coding">The content coding.</param>
    public sealed record Key(string Backend, string Answer, Coding Coding);

    /// <summary>A compressed answer.</summary>
    /// <param name="Stored">The time at which the original body was stored.</param>
    /// <param name="Head">The head of the original body.</param>
    /// <param name="ContentType">The Content-Type of the answer, with its boundary.</param>
    /// <param name="Body">The answer; null when the compression saves less than a fifth.</param>
    public sealed record Packed(DateTimeOffset Stored, EntryHead Head, string ContentType, byte[]? Body);

    private sealed record Job(
        Key Key, EntryHead Head, DateTimeOffset Stored, IReadOnlyList<ReadOnlyMemory<byte>> Pieces, Wrapping Wrapping, int Purges)
    {
        public long Bytes => Head.Length!.Value;
    }

    /// <summary>True for frames worth compressing: uncompressed, and of a suitable size.</summary>
    public static bool CanPack(EntryHead head) =>
        head is
        {
            MediaType: MediaType.OctetStream, TransferSyntax: TransferSyntax.ImplicitLittleEndian or BodyFormat.ExplicitLittleEndian,
            Length: >= MinBytes and <= MaxBytes
        };

    /// <summary>The compressed answer made from exactly this body, or null before it is made.</summary>
    public Packed? Find(Key key, IBody body) =>
        _answers.TryFind(key, out var packed) && packed.Stored == body.Stored && packed.Head == body.Head ? packed : null;

    /// <summary>Queues a job for the next request; does nothing when the body is not in memory.</summary>
    public void Enqueue(Key key, IBody body, Wrapping wrapping)
    {
        if (!CanPack(body.Head) || body is not MemoryBody { UnpooledPieces: { } pieces, Stored: { } stored }) return;
        if (Interlocked.Read(ref _queuedBytes) > MaxQueuedBytes || !_queued.TryAdd(key, true)) return;
        var job = new Job(key, body.Head, stored, pieces, wrapping, Volatile.Read(ref _purges));
        Interlocked.Add(ref _queuedBytes, job.Bytes);
        if (!_jobs.TryAdd(job)) Release(job);
    }

    /// <summary>Discards the results of queued jobs when bodies are purged.</summary>
    public void Follow(Removal removal)
    {
        if (removal.Backend is not null) return;
        lock (_lock) _purges++;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _jobs.Dispose();
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.Factory.StartNew(() => Run(stoppingToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(CancellationToken stopping)
    {
        // On systems that honour priorities, client requests run first.
        Thread.CurrentThread.Priority = ThreadPriority.Lowest;
        while (TryTake(out var job, stopping))
        {
            try
            {
                Add(job, Pack(job));
            }
            catch (Exception e)
            {
                log.UnhandledException(e);
            }
            finally
            {
                Release(job);
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
            // The process is stopping.
            return false;
        }
    }

    private static Packed Pack(Job job)
    {
        var body = Packing.CompressPixels([job.Wrapping.Opening, .. job.Pieces, job.Wrapping.End], job.Key.Coding);
        return new(job.Stored, job.Head, job.Wrapping.ContentType, body.Length <= job.Bytes / 5 * 4 ? body : null);
    }

    private void Add(Job job, Packed packed)
    {
        lock (_lock)
        {
            if (_purges == job.Purges) _answers.Add(job.Key, packed, packed.Body?.Length ?? 0);
        }
    }

    private void Release(Job job)
    {
        Interlocked.Add(ref _queuedBytes, -job.Bytes);
        _queued.TryRemove(job.Key, out _);
    }
}
