using System.Collections.Immutable;

namespace Proxy.Operations;

/// <summary>A warning or error of the proxy's own log.</summary>
/// <param name="Id">Counts up from 1 since the start.</param>
/// <param name="Time">The time of its last occurrence.</param>
/// <param name="Level">Warning, Error or Critical.</param>
/// <param name="Event">The number and name of the message, see <see cref="Log"/>.</param>
/// <param name="Message">
/// The text, at most <see cref="RecentWarnings.MaxText"/> characters; an exception adds its type, never its text.
/// </param>
/// <param name="Backend">The backend that the message names; null for none.</param>
/// <param name="Count">The number of consecutive occurrences of the same message.</param>
public sealed record LoggedWarning(
    long Id, DateTimeOffset Time, LogLevel Level, EventId Event, string Message, string? Backend, int Count);

/// <summary>The last warnings and errors of the proxy, in memory, for operators.</summary>
/// <remarks>
/// Only messages of the proxy's own categories are recorded: they name no patient (<see cref="Log"/>), while messages of the framework
/// and texts of exceptions may contain parts of requests.
/// </remarks>
/// <param name="time">The clock.</param>
[ProviderAlias("RecentWarnings")]
public sealed class RecentWarnings(TimeProvider time) : ILoggerProvider
{
    /// <summary>The number of recorded messages; older ones are dropped.</summary>
    public const int Capacity = 500;

    /// <summary>The maximum length of a text, in characters.</summary>
    public const int MaxText = 500;

    private readonly Lock _lock = new();
    private readonly Queue<LoggedWarning> _earlier = new(Capacity);
    private LoggedWarning? _last;

    /// <summary>The messages, newest first.</summary>
    public ImmutableArray<LoggedWarning> Read()
    {
        lock (_lock) return _last is null ? [] : [_last, .. _earlier.Reverse()];
    }

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) =>
        categoryName.StartsWith("Proxy.", StringComparison.Ordinal) ? new Recorder(this) : NoLogger.Instance;

    /// <inheritdoc/>
    public void Dispose() { }

    private void Add(LogLevel level, EventId id, string text, string? backend)
    {
        var message = text.Length <= MaxText ? text : text[..MaxText] + "…";
        var now = time.GetUtcNow();
        lock (_lock)
        {
            if (_last is { } last && last.Event.Id == id.Id && last.Message == message)
            {
                _last = last with { Time = now, Count = last.Count + 1 };
                return;
            }
            if (_last is not null) _earlier.Enqueue(_last);
            if (_earlier.Count >= Capacity) _earlier.Dequeue();
            _last = new((_last?.Id ?? 0) + 1, now, level, id, message, backend, 1);
        }
    }

    private sealed class Recorder(RecentWarnings warnings) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel is >= LogLevel.Warning and not LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel)) return;
            var text = formatter(state, null);
            var backend = (state as IReadOnlyList<KeyValuePair<string, object?>>)?.FirstOrDefault(p => p.Key == "Backend").Value as string;
            warnings.Add(logLevel, eventId, exception is null ? text : $"{text} ({exception.GetType().Name})", backend);
        }
    }

    private sealed class NoLogger : ILogger
    {
        public static readonly NoLogger Instance = new();

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => false;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
        }
    }
}
