namespace Proxy.Events;

/// <summary>A published event with its wire format, which is created on first use and shared by all readers.</summary>
/// <param name="epoch">Identifies the process in ids.</param>
/// <param name="event">The event with its id.</param>
internal sealed class LoggedEvent(string epoch, ProxyEvent @event)
{
    private byte[]? _bytes;

    /// <summary>The event.</summary>
    public ProxyEvent Event { get; } = @event;

    /// <summary>The number of UIDs in the event, which bounds the history.</summary>
    public int Uids => Event.Added.Length;

    /// <summary>The event in the format of <see cref="EventFormat"/>.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes ??= EventFormat.Write(epoch, Event);
}
