using System.Collections.Concurrent;
using Proxy.Operations;
using Wasmtime;

namespace Proxy.Imaging.Sandbox;

/// <summary>Runs codecs in the sandbox: one instance per processor, at most four, each with a thread of its own.</summary>
/// <remarks>
/// <code>
/// 1 wait for a place in the queue; large frames wait for each other
/// 2 a worker takes the task; the first one starts the engine
/// 3 its instance runs the task, to the end or to the deadline
/// 4 after any failure, after a large frame, and after a minute without tasks, the instance is disposed with its memory
/// </code>
/// A caller that leaves while it waits costs nothing; a running task ends by itself, at its deadline at the latest.
/// </remarks>
/// <param name="compiled">The module.</param>
/// <param name="log">Logs failures of the sandbox itself.</param>
internal sealed class CodecPool(CompiledModule compiled, ILogger<CodecPool> log) : IDisposable
{
    private const int MaxWaiting = 256, MaxWorkers = 4;

    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(1);

    private readonly BlockingCollection<Job> _jobs = [];
    private readonly SemaphoreSlim _places = new(MaxWaiting);
    private readonly SemaphoreSlim _large = new(1);
    private readonly int _maxWorkers = Math.Clamp(Environment.ProcessorCount, 1, MaxWorkers);
    private readonly Lock _lock = new();
    private int _workers, _idle;
    private string? _unavailable;

    private sealed record Job(CodecTask Task, TaskCompletionSource<CodecOutcome> Outcome, CancellationToken Cancellation);

    /// <summary>Why no codec can run in this process; null when they can, or when that is not known yet.</summary>
    public string? Unavailable => Volatile.Read(ref _unavailable);

    /// <summary>Runs a task when its turn comes.</summary>
    public async Task<CodecOutcome> RunAsync(CodecTask task, CancellationToken cancellation)
    {
        if (Unavailable is { } reason) return CodecOutcome.Failed(reason);
        // 1
        await _places.WaitAsync(cancellation);
        try
        {
            if (!task.IsLarge) return await EnqueueAsync(task, cancellation);
            await _large.WaitAsync(cancellation);
            try
            {
                return await EnqueueAsync(task, cancellation);
            }
            finally
            {
                _large.Release();
            }
        }
        finally
        {
            _places.Release();
        }
    }

    /// <summary>Loads or compiles the module, so that the first frame need not wait for it.</summary>
    public void WarmUp() => GetEngine();

    /// <inheritdoc/>
    public void Dispose()
    {
        _jobs.CompleteAdding();
        foreach (var job in _jobs.GetConsumingEnumerable()) job.Outcome.TrySetCanceled();
    }

    private async Task<CodecOutcome> EnqueueAsync(CodecTask task, CancellationToken cancellation)
    {
        var outcome = new TaskCompletionSource<CodecOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        _jobs.Add(new(task, outcome, cancellation), cancellation);
        lock (_lock)
        {
            if (_idle < _jobs.Count && _workers < _maxWorkers)
            {
                _workers++;
                new Thread(Work) { IsBackground = true, Name = "codec" }.Start();
            }
        }
        // A large frame is waited for to its end, because the next large one must not run beside it.
        return task.IsLarge ? await outcome.Task : await outcome.Task.WaitAsync(cancellation);
    }

    private void Work()
    {
        CodecInstance? instance = null;
        while (TryTake(instance is null ? Timeout.InfiniteTimeSpan : Idle, out var job))
        {
            // 4
            if (job is null) instance = Discard(instance);
            else if (job.Cancellation.IsCancellationRequested) job.Outcome.TrySetCanceled(job.Cancellation);
            else job.Outcome.TrySetResult(Run(job.Task, ref instance));
        }
        Discard(instance);
    }

    private bool TryTake(TimeSpan wait, out Job? job)
    {
        Interlocked.Increment(ref _idle);
        try
        {
            return _jobs.TryTake(out job, wait) || !_jobs.IsCompleted;
        }
        finally
        {
            Interlocked.Decrement(ref _idle);
        }
    }

    private CodecOutcome Run(CodecTask task, ref CodecInstance? instance)
    {
        // 2
        if (GetEngine() is not { } engine) return CodecOutcome.Failed(Unavailable!);
        try
        {
            // 3
            using var running = engine.Count();
            instance ??= new(engine.Engine, engine.Module);
            var bytes = instance.Run(task);
            if (task.IsLarge) instance = Discard(instance);
            return new(bytes, null);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // 4
            instance = Discard(instance);
            if (e is not (WasmtimeException or InvalidDataException)) log.UnhandledException(e);
            return CodecOutcome.Failed(
                e is TrapException { Type: TrapCode.Interrupt } ? $"the codec took longer than {task.Deadline.TotalSeconds:0.#} s"
                : "the codec refused its codestream");
        }
    }

    private CodecEngine? GetEngine()
    {
        if (Unavailable is not null) return null;
        try
        {
            return CodecEngine.Get(compiled);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            log.CodecsUnavailable(e);
            Volatile.Write(ref _unavailable, "this proxy runs on a platform without the codecs");
            return null;
        }
    }

    private static CodecInstance? Discard(CodecInstance? instance)
    {
        instance?.Dispose();
        return null;
    }
}
