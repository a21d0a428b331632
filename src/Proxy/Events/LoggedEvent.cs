namespace Proxy.Events;

/// <summary>An event that has its place, and what goes out of it: made when the first asks for it, and then the same for all.</summary>
internal sealed class LoggedEvent(string epoch, ProxyEvent @event)
{
    private byte[]? _bytes;

    public ProxyEvent Event { get; } = @event;

    /// <summary>What it weighs in a history that is bounded by UIDs.</summary>
    public int Uids => Event.Added.Length;

    /// <summary>As <see cref="EventFormat"/> draws it.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes ??= EventFormat.Write(epoch, Event);
}
