using System.Net;
using System.Net.Sockets;

namespace Proxy.Tests.Pacs;

/// <summary>Loopback ports for servers that need their port before they listen, and for servers that stop during a test.</summary>
/// <remarks>
/// Below the range from which the system takes the ports of connections and of port 0 (32768 on Linux): a port of that range is taken
/// by another test between its choice and its use, or after its server has stopped.
/// </remarks>
public static class FreePort
{
    private const int First = 12_000, Count = 10_000;

    /// <summary>Test processes on one machine begin at different ports.</summary>
    private static int _last = Environment.ProcessId * 97 % Count;

    /// <summary>A port that is free, and that no other test of this process gets.</summary>
    public static int Next()
    {
        while (true)
        {
            var port = First + (Interlocked.Increment(ref _last) % Count);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Another program has it.
            }
        }
    }
}
