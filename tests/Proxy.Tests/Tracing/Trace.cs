using System.Collections.Immutable;

namespace Proxy.Tests.Tracing;

/// <summary>The methods of the product that one request executes, in the order of their first call.</summary>
/// <remarks>
/// The traced copy of the product calls <see cref="Visit"/> at the start of each method. A trace flows with its request, also into the
/// work that the request starts; methods that other requests and background services call are not recorded.
/// </remarks>
public sealed class Trace
{
    private static readonly AsyncLocal<Trace?> Current = new();

    private static volatile Trace? _all;

    private readonly Lock _lock = new();
    private readonly HashSet<int> _seen = [];
    private ImmutableList<int> _methods = [];

    /// <summary>The numbers of the methods, each once.</summary>
    public ImmutableList<int> Methods
    {
        get
        {
            lock (_lock) return _methods;
        }
    }

    /// <summary>Records the methods that the current flow executes from here on.</summary>
    public static Trace Start() => Current.Value = new();

    /// <summary>Records the methods that all requests and background services execute from here on.</summary>
    public static Trace StartForAll() => _all = new();

    /// <summary>Ends <see cref="StartForAll"/>.</summary>
    public static void StopForAll() => _all = null;

    /// <summary>Called by every method of the traced copy.</summary>
    public static void Visit(int method)
    {
        Current.Value?.Add(method);
        _all?.Add(method);
    }

    private void Add(int method)
    {
        lock (_lock)
        {
            if (_seen.Add(method)) _methods = _methods.Add(method);
        }
    }
}
