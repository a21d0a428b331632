namespace Proxy.Integration;

/// <summary>The requests and connections on some relays from now on.</summary>
public sealed class Watch(params IEnumerable<CountingRelay> wires)
{
    private readonly (CountingRelay Wire, int Requests, int Connections)[] _start =
        [.. wires.Select(wire => (wire, wire.Requests.Count, wire.Connections))];

    /// <summary>The requested addresses, in order on each relay.</summary>
    public IReadOnlyList<string> Asked => [.. _start.SelectMany(s => s.Wire.Requests.Skip(s.Requests)).Select(r => r.Target)];

    public int Connections => _start.Sum(s => s.Wire.Connections - s.Connections);
}
