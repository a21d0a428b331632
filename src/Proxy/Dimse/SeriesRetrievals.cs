using System.Collections.Concurrent;
using Proxy.Backends;
using Proxy.Backends.Transport;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Operations;

namespace Proxy.Dimse;

/// <summary>Retrieves series once: their files go into the cache and their datasets become metadata.</summary>
/// <remarks>
/// <code>
/// 1 list        the instances of the series by C-FIND: what must arrive, and the SOP classes to propose
/// 2 cached      instances in the cache are read from there
/// 3 retrieve    the series, or the instances that are missing; a frame that waits gets its instance as soon as it has arrived
/// 4 again       what did not arrive, uncompressed and with the usual SOP classes: some archives fail to send compressed instances
/// 5 check       all instances of the list, or a failure
/// </code>
/// </remarks>
internal sealed class SeriesRetrievals(InstanceRetrieval retrieval, DimseSearch search, InstanceFiling filing, TimeProvider time)
{
    /// <summary>A frame waits this long for its instance in a running retrieval, then it is retrieved by itself.</summary>
    private static readonly TimeSpan MaxWait = TimeSpan.FromMilliseconds(500);

    /// <summary>The most UIDs of one request at the level IMAGE.</summary>
    private const int MaxListed = 100;

    /// <summary>The most series whose SOP classes are remembered.</summary>
    private const int MaxRemembered = 1000;

    private readonly SingleFlight<(string Backend, SeriesPath Path), BackendAnswer<SeriesMetadata>> _series = new();
    private readonly SingleFlight<(string Backend, InstancePath Path), BackendAnswer<bool>> _instances = new();
    private readonly ConcurrentDictionary<(string Backend, SeriesPath Path), Arrivals> _running = new();
    private readonly ConcurrentDictionary<(string Backend, SeriesPath Path), IReadOnlyDictionary<Uid, string>> _contents = new();

    /// <summary>Reads the metadata of a series from its files.</summary>
    /// <param name="backend">A DIMSE backend.</param>
    /// <param name="path">The series.</param>
    /// <param name="cancellation">Ends the wait of this caller; the retrieval ends with its last caller.</param>
    public async Task<BackendAnswer<SeriesMetadata>> ReadMetadataAsync(
        BackendOptions backend, SeriesPath path, CancellationToken cancellation) =>
        (await _series.RunAsync((backend.Name, path), stopped => RetrieveAsync(backend, path, stopped), cancellation)).Result;

    /// <summary>The file of one instance: from the cache, from a running retrieval of its series, or retrieved.</summary>
    /// <param name="backend">A DIMSE backend.</param>
    /// <param name="path">The instance.</param>
    /// <param name="cancellation">Ends the wait of this caller.</param>
    public async Task<BackendAnswer<ICachedBody>> FindFileAsync(
        BackendOptions backend, InstancePath path, CancellationToken cancellation)
    {
        if (await filing.FindAsync(backend.Name, path, cancellation) is { } cached) return new(cached);
        if (_running.TryGetValue((backend.Name, path.SeriesPath), out var running))
        {
            try
            {
                await running.WaitAsync(path.Instance).WaitAsync(MaxWait, time, cancellation);
            }
            catch (TimeoutException)
            {
                // The instance comes late in the series: it is retrieved first.
            }
            if (await filing.FindAsync(backend.Name, path, cancellation) is { } arrived) return new(arrived);
        }
        ICachedBody? own = null;
        var (answer, _) = await _instances.RunAsync((backend.Name, path), RetrieveOneAsync, cancellation);
        if (own is not null) return new(own);
        if (!answer.IsFound || !answer.Value) return answer.Failure is { } failure ? new(failure) : new() { IsMissing = true };
        return await filing.FindAsync(backend.Name, path, cancellation) is { } found
            ? new(found)
            : new(new BackendFailure(backend.Name, BackendError.Busy, InstanceFiling.NoRoom));

        async Task<BackendAnswer<bool>> RetrieveOneAsync(CancellationToken stopped)
        {
            var removals = filing.Removals;
            return await OpenAsync(backend, path.SeriesPath, path.Instance, isUncompressed: false, ReceiveAsync, stopped);

            async Task<bool> ReceiveAsync(ArrivingSeries series, CancellationToken token)
            {
                if (await series.FindNextAsync(token) is null) return false;
                own = await filing.ReceiveAsync(backend, path, series, removals, token);
                await series.FindNextAsync(token);
                return true;
            }
        }
    }

    /// <summary>Retrieves a series, or one instance of it, and passes on the instances as they arrive.</summary>
    /// <param name="backend">A DIMSE backend.</param>
    /// <param name="path">The series.</param>
    /// <param name="instance">The instance; null for all.</param>
    /// <param name="isUncompressed">True to receive uncompressed instances only.</param>
    /// <param name="read">Reads the instances.</param>
    /// <param name="cancellation">Aborts the association.</param>
    public async Task<BackendAnswer<T>> OpenAsync<T>(
        BackendOptions backend, SeriesPath path, Uid? instance, bool isUncompressed, Func<ArrivingSeries, CancellationToken, Task<T>> read,
        CancellationToken cancellation)
    {
        var listed = await ListAsync(backend, path, instance, cancellation);
        if (!listed.IsFound) return listed.Failure is { } failure ? new(failure) : new() { IsMissing = true };
        if (listed.Value.Count == 0 || instance is { } wanted && !listed.Value.ContainsKey(wanted)) return new() { IsMissing = true };
        IReadOnlyCollection<Uid> expected = instance is { } one ? [one] : [.. listed.Value.Keys];
        var classes = instance is { } only ? [listed.Value[only]] : listed.Value.Values;
        return await retrieval.RunAsync(
            backend, new(path, instance is null ? null : expected, expected, [.. classes], isUncompressed), read, cancellation);
    }

    /// <summary>Forgets what was learned about the series of a backend.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="study">The study; null for all.</param>
    public void Forget(string? backend, Uid? study)
    {
        if (study is null) retrieval.Forget(backend);
        foreach (var key in _contents.Keys.Where(
            key => (backend ?? key.Backend) == key.Backend && (study ?? key.Path.Study) == key.Path.Study))
            _contents.TryRemove(key, out _);
    }

    private async Task<BackendAnswer<IReadOnlyDictionary<Uid, string>>> ListAsync(
        BackendOptions backend, SeriesPath path, Uid? instance, CancellationToken cancellation)
    {
        if (instance is { } one && _contents.TryGetValue((backend.Name, path), out var known) && known.ContainsKey(one)) return new(known);
        // 1
        var listed = await search.ListInstancesAsync(backend, path, instance, cancellation);
        if (instance is not null) return listed;
        if (_contents.Count >= MaxRemembered) _contents.Clear();
        if (listed.IsFound) _contents[(backend.Name, path)] = listed.Value;
        return listed;
    }

    private async Task<BackendAnswer<SeriesMetadata>> RetrieveAsync(BackendOptions backend, SeriesPath path, CancellationToken cancellation)
    {
        var listed = await ListAsync(backend, path, instance: null, cancellation);
        if (!listed.IsFound) return listed.Failure is { } failure ? new(failure) : new() { IsMissing = true };
        if (listed.Value.Count == 0) return new() { IsMissing = true };
        var state = new Retrieval(backend, path, [.. listed.Value.Keys], filing.Removals);
        _running[(backend.Name, path)] = state.Arrivals;
        try
        {
            await ReadCachedAsync(state, cancellation);
            var isWhole = state.Missing.Count == listed.Value.Count;
            var failed = await RetrieveMissingAsync(state, [.. listed.Value.Values], isWhole, cancellation);
            // 4
            if (state.Missing.Count > 0 && failed is null or { Error: BackendError.BadAnswer })
            {
                failed = await RetrieveMissingAsync(state, classes: null, isWhole: false, cancellation);
            }
            // 5
            if (state.Missing.Count == 0) return new(new SeriesMetadata(state.Metadata.Build(), null));
            return new(failed ?? new BackendFailure(
                backend.Name, BackendError.BadAnswer,
                $"{listed.Value.Count - state.Missing.Count} of {listed.Value.Count} instances of the series arrived"));
        }
        finally
        {
            _running.TryRemove(new((backend.Name, path), state.Arrivals));
            state.Arrivals.End();
        }
    }

    // 2
    private async Task ReadCachedAsync(Retrieval state, CancellationToken cancellation)
    {
        foreach (var uid in state.Missing.ToList())
        {
            var path = new InstancePath(state.Path.Study, state.Path.Series, uid);
            if (!await filing.HasAsync(state.Backend.Name, path, cancellation)) continue;
            using var body = await filing.FindAsync(state.Backend.Name, path, cancellation);
            if (body is not null) await AddAsync(state, path, body, cancellation);
        }
    }

    // 3
    private async Task<BackendFailure?> RetrieveMissingAsync(
        Retrieval state, IReadOnlyCollection<string>? classes, bool isWhole, CancellationToken cancellation)
    {
        IEnumerable<Uid[]> requests = isWhole ? [[.. state.Missing]] : state.Missing.Chunk(MaxListed).ToList();
        foreach (var uids in requests)
        {
            var answer = await retrieval.RunAsync(
                state.Backend, new(state.Path, isWhole ? null : uids, uids, classes ?? [], IsUncompressed: classes is null), ReceiveAsync,
                cancellation);
            if (answer.Failure is { } failure) return failure;
        }
        return null;

        async Task<bool> ReceiveAsync(ArrivingSeries series, CancellationToken stopped)
        {
            while (await series.FindNextAsync(stopped) is { } instance)
            {
                var path = new InstancePath(state.Path.Study, state.Path.Series, instance.SopInstance);
                using var body = await filing.ReceiveAsync(state.Backend, path, series, state.Removals, stopped);
                if (body is null) throw new BackendBusyException(InstanceFiling.NoRoom);
                await AddAsync(state, path, body, stopped);
            }
            return true;
        }
    }

    private static async Task AddAsync(Retrieval state, InstancePath path, ICachedBody body, CancellationToken cancellation)
    {
        if (await InstanceFiling.ReadDatasetAsync(state.Backend.Name, path, body, cancellation) is not { } dataset) return;
        state.Metadata.Add(path.Instance, dataset.Json.Span);
        state.Missing.Remove(path.Instance);
        state.Arrivals.Add(path.Instance);
    }

    /// <summary>One retrieval of a series.</summary>
    private sealed record Retrieval(BackendOptions Backend, SeriesPath Path, HashSet<Uid> Missing, int Removals)
    {
        public PackedInstances.Builder Metadata { get; } = new();

        public Arrivals Arrivals { get; } = new();
    }

    /// <summary>Tells waiting frames which instances have arrived.</summary>
    private sealed class Arrivals
    {
        private readonly ConcurrentDictionary<Uid, TaskCompletionSource> _instances = new();
        private volatile bool _hasEnded;

        /// <summary>Completes when the instance has arrived, or the retrieval has ended.</summary>
        public Task WaitAsync(Uid instance)
        {
            var gate = Get(instance);
            if (_hasEnded) gate.TrySetResult();
            return gate.Task;
        }

        public void Add(Uid instance) => Get(instance).TrySetResult();

        public void End()
        {
            _hasEnded = true;
            foreach (var gate in _instances.Values) gate.TrySetResult();
        }

        private TaskCompletionSource Get(Uid instance) =>
            _instances.GetOrAdd(instance, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
    }
}
