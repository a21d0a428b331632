namespace Proxy.Integration;

/// <summary>Waits for conditions that take time: a program that starts, an answer that gets stale.</summary>
public static class Until
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1), Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Repeats <paramref name="check"/> until it passes; after the timeout the last failure is thrown.</summary>
    public static async Task PassesAsync(Func<Task> check, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await check();
                return;
            }
            catch (Exception e) when (e is not OperationCanceledException && TimeProvider.System.GetElapsedTime(started) < Patience)
            {
                await Task.Delay(Pause, TimeProvider.System, cancellationToken);
            }
        }
    }
}
