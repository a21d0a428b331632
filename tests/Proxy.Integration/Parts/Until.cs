namespace Proxy.Integration;

/// <summary>Waiting for what comes in its time: a program that starts, an answer that grows old.</summary>
public static class Until
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(25), Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Looks again and again until <paramref name="check"/> passes; when patience ends it fails as its last look did.</summary>
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
