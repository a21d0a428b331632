namespace Proxy.Operations;

/// <summary>A clock that starts at the machine's time of day and then advances with its uptime.</summary>
/// <remarks>
/// A correction of the machine's clock by an hour or a day must neither expire all cached entries nor keep them fresh.
/// Entries of an earlier process may have a date in the future; <see cref="Metadata.Freshness"/> handles these.
/// </remarks>
/// <param name="machine">The machine's clock.</param>
public sealed class SteadyTimeProvider(TimeProvider machine) : TimeProvider
{
    private readonly DateTimeOffset _started = machine.GetUtcNow();
    private readonly long _startedAt = machine.GetTimestamp();

    /// <summary>The machine's clock, for records that state the true time of day.</summary>
    public TimeProvider Machine => machine;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => machine.LocalTimeZone;

    /// <inheritdoc/>
    public override long TimestampFrequency => machine.TimestampFrequency;

    /// <summary>The start time plus the time elapsed since the start.</summary>
    public override DateTimeOffset GetUtcNow() => _started + machine.GetElapsedTime(_startedAt);

    /// <inheritdoc/>
    public override long GetTimestamp() => machine.GetTimestamp();

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        machine.CreateTimer(callback, state, dueTime, period);
}
