namespace Proxy.Integration;

/// <summary>What passes some wires from now on.</summary>
public sealed class Watch(params IEnumerable<CountingRelay> wires)
{
    private readonly (CountingRelay Wire, int Requests, int Connections)[] _start =
        [.. wires.Select(wire => (wire, wire.Requests.Count, wire.Connections))];

    /// <summary>The addresses that were asked for, in order on each wire.</summary>
    public IReadOnlyList<string> Asked => [.. _start.SelectMany(s => s.Wire.Requests.Skip(s.Requests)).Select(r => r.Target)];

    public int Connections => _start.Sum(s => s.Wire.Connections - s.Connections);
}
