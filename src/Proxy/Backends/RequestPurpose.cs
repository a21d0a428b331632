namespace Proxy.Backends;

/// <summary>Who waits for what a backend is asked for.</summary>
public enum RequestPurpose
{
    /// <summary>A client: prefetching pauses on that backend.</summary>
    Client,

    /// <summary>No client: one was or is served from the cache while the backend is asked whether that still holds.</summary>
    Revalidation,

    /// <summary>No client: nobody has requested it yet.</summary>
    Prefetch,
}

/// <summary>
/// The purpose of the current asynchronous flow: <see cref="RequestPurpose.Client"/> unless it runs within
/// <see cref="RunAsync{T}"/>.
/// </summary>
/// <remarks>
/// Background work is marked where it begins, and everything that it asks of a backend inherits the mark. So client
/// requests carry no mark and cost nothing, and a new kind of client request is in the foreground by itself. A shared
/// fetch has the purpose of the caller that started it.
/// </remarks>
public static class CurrentPurpose
{
    private static readonly AsyncLocal<RequestPurpose> Flow = new();

    public static RequestPurpose Value => Flow.Value;

    /// <summary>Runs work for this purpose; the caller's own purpose does not change.</summary>
    public static async Task<T> RunAsync<T>(RequestPurpose purpose, Func<Task<T>> work)
    {
        Flow.Value = purpose;
        return await work();
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public static async Task RunAsync(RequestPurpose purpose, Func<Task> work)
    {
        Flow.Value = purpose;
        await work();
    }
}
