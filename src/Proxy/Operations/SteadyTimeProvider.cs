namespace Proxy.Operations;

/// <summary>The machine's time of day when the process started, and from then on a clock that nobody sets.</summary>
/// <remarks>
/// Somebody corrects the machine's clock by an hour or a day: what is kept is neither all old at once nor young for ever.
/// What was dated by an earlier process may lie in the future; <see cref="Metadata.Freshness"/> deals with that.
/// </remarks>
public sealed class SteadyTimeProvider(TimeProvider machine) : TimeProvider
{
    private readonly DateTimeOffset _started = machine.GetUtcNow();
    private readonly long _startedAt = machine.GetTimestamp();

    public override TimeZoneInfo LocalTimeZone => machine.LocalTimeZone;

    public override long TimestampFrequency => machine.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => _started + machine.GetElapsedTime(_startedAt);

    public override long GetTimestamp() => machine.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        machine.CreateTimer(callback, state, dueTime, period);
}
