namespace Proxy.Identity;

/// <summary>The caller of the current asynchronous flow; <see cref="Caller.Anonymous"/> where none was set.</summary>
/// <remarks>
/// A request to a backend may need the token of the user who caused it. Work in the background inherits the caller that starts it, and a
/// prefetch job runs as the caller who created it. A shared fetch has the caller that started it.
/// </remarks>
public static class CurrentCaller
{
    private static readonly AsyncLocal<Caller?> Flow = new();

    /// <summary>The caller of the current flow.</summary>
    public static Caller Value => Flow.Value ?? Caller.Anonymous;

    /// <summary>Runs work as a caller; the caller of the surrounding flow does not change.</summary>
    public static async Task<T> RunAsync<T>(Caller caller, Func<Task<T>> work)
    {
        Flow.Value = caller;
        return await work();
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public static async Task RunAsync(Caller caller, Func<Task> work)
    {
        Flow.Value = caller;
        await work();
    }
}
