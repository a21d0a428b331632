namespace Proxy.Backends;

/// <summary>The purpose of a request to a backend.</summary>
public enum RequestPurpose
{
    /// <summary>A client waits for the answer; prefetching pauses on that backend.</summary>
    Client,

    /// <summary>The client is served from the cache while the backend revalidates the entry.</summary>
    Revalidation,

    /// <summary>No client has requested the object yet.</summary>
    Prefetch,
}

/// <summary>
/// The purpose of the current asynchronous flow: <see cref="RequestPurpose.Client"/> unless it runs within
/// <see cref="RunAsync{T}"/>.
/// </summary>
/// <remarks>
/// Background work is marked where it starts, and its requests to backends inherit the mark. Client requests need no mark, so
/// they cost nothing and a new kind of client request is in the foreground by default. A shared fetch has the purpose of the
/// caller that started it.
/// </remarks>
public static class CurrentPurpose
{
    private static readonly AsyncLocal<RequestPurpose> Flow = new();

    /// <summary>The purpose of the current flow.</summary>
    public static RequestPurpose Value => Flow.Value;

    /// <summary>Runs work with this purpose; the caller's own purpose does not change.</summary>
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
